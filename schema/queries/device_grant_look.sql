-- $1 hash of the user code, $2 what wrong codes are counted for (text[]), $3 how many of each are heard (bigint[]), $4 for how
-- long they count, in ms
-- A right code is heard only while the wrong ones before it were not too many. First column: for how many ms nothing is
-- heard, or NULL.
WITH found AS MATERIALIZED (
  SELECT g.client_id, g.address, g.agent, g.created_at, g.expires_at
  FROM device_grants g
  WHERE g.user_code_hash = $1 AND g.status = 'pending' AND g.expires_at > statement_timestamp()
), stand AS MATERIALIZED (
  SELECT login_attempts_count($2, $3, $4, CASE WHEN EXISTS (SELECT FROM found) THEN 0 ELSE 1 END) AS blocked_until
)
SELECT ceil(extract(epoch FROM s.blocked_until - statement_timestamp()) * 1000)::bigint, f.client_id, f.address, f.agent,
  f.created_at, f.expires_at
FROM stand s
LEFT JOIN found f ON s.blocked_until IS NULL
