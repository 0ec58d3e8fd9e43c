-- $1 hash, $2 id, $3 user id, $4 name, $5 lifetime in seconds
INSERT INTO api_tokens (hash, id, user_id, name, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::bigint * interval '1 second')
RETURNING id, name, created_at, expires_at, last_used_at
