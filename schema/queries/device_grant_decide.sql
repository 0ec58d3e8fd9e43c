-- $1 hash of the user code, $2 what wrong codes are counted for (text[]), $3 how many of each are heard (bigint[]), $4 for how
-- long they count, in ms, $5 user id, $6 whether the user approves
-- As device_grant_look, and answers the code. Of two that answer at once the second finds it answered.
WITH found AS MATERIALIZED (
  SELECT g.id, g.client_id, g.address, g.agent, g.created_at, g.expires_at
  FROM device_grants g
  WHERE g.user_code_hash = $1 AND g.status = 'pending' AND g.expires_at > statement_timestamp()
), wrong AS MATERIALIZED (
  SELECT CASE WHEN EXISTS (SELECT FROM found) THEN 0 ELSE 1 END AS count
), counted AS (
  INSERT INTO login_attempts AS a (key, wrong, until)
  SELECT k.key, w.count, statement_timestamp() + $4::float8 * interval '1 millisecond'
  FROM wrong w, unnest($2::text[]) AS k (key)
  ORDER BY k.key
  ON CONFLICT (key) DO UPDATE SET
    wrong = CASE WHEN a.until > statement_timestamp() THEN a.wrong ELSE 0 END + excluded.wrong,
    until = CASE WHEN a.until > statement_timestamp() THEN a.until ELSE excluded.until END
  RETURNING key, wrong, until
), stand AS MATERIALIZED (
  SELECT max(c.until) FILTER (WHERE c.wrong - w.count >= m.most) AS blocked_until
  FROM wrong w, counted c
  JOIN unnest($2::text[], $3::bigint[]) AS m (key, most) ON m.key = c.key
), owner AS MATERIALIZED (
  SELECT u.id FROM users u WHERE u.id = $5 AND u.status = 'active' AND NOT u.is_system FOR SHARE
), decided AS (
  UPDATE device_grants g
  SET status = CASE WHEN $6 THEN 'approved' ELSE 'denied' END, user_id = o.id, decided_at = statement_timestamp()
  FROM found f, stand s, owner o
  WHERE s.blocked_until IS NULL AND g.id = f.id AND g.status = 'pending' AND g.expires_at > statement_timestamp()
  RETURNING f.client_id, f.address, f.agent, f.created_at, f.expires_at
)
SELECT ceil(extract(epoch FROM s.blocked_until - statement_timestamp()) * 1000)::bigint, d.client_id, d.address, d.agent,
  d.created_at, d.expires_at
FROM stand s
LEFT JOIN decided d ON true
