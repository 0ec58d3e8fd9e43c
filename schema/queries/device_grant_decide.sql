-- $1 hash of the user code, $2 what wrong codes are counted for (text[]), $3 how many of each are heard (bigint[]), $4 for how
-- long they count, in ms, $5 user id, $6 whether the user approves, $7 session id
-- As device_grant_look, and answers the code. Of two that answer at once the second finds it answered. The user's row is
-- locked: whoever suspends the user or ends the sessions is before this statement, and the answer is none, or ends what
-- was approved.
WITH found AS MATERIALIZED (
  SELECT g.id, g.client_id, g.address, g.agent, g.created_at, g.expires_at
  FROM device_grants g
  WHERE g.user_code_hash = $1 AND g.status = 'pending' AND g.expires_at > statement_timestamp()
), stand AS MATERIALIZED (
  SELECT login_attempts_count($2, $3, $4, CASE WHEN EXISTS (SELECT FROM found) THEN 0 ELSE 1 END) AS blocked_until
), owner AS MATERIALIZED (
  SELECT u.id
  FROM users u
  JOIN browser_sessions b ON b.user_id = u.id
  WHERE u.id = $5 AND u.status = 'active' AND NOT u.is_system AND b.id = $7 AND b.user_generation = u.sessions_generation
    AND b.expires_at > statement_timestamp()
  FOR SHARE OF u
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
