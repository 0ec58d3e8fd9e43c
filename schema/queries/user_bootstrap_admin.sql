-- $1 user id if there is no admin yet, $2 token hash, $3 token id, $4 lifetime in seconds
-- Several replicas may start at once: whoever comes second finds the rows and changes nothing that matters.
WITH admin AS (
  INSERT INTO users AS u (id, username, roles) VALUES ($1, 'admin', 33)
  ON CONFLICT (username) DO UPDATE SET status = 'active', roles = u.roles | 33
  RETURNING id
)
INSERT INTO api_tokens AS t (hash, id, user_id, name, expires_at)
SELECT $2, $3, admin.id, 'bootstrap', now() + $4::bigint * interval '1 second' FROM admin
ON CONFLICT (hash) DO UPDATE SET user_id = excluded.user_id, expires_at = excluded.expires_at
