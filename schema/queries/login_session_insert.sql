-- $1 hash, $2 id, $3 user id, $4 lifetime in seconds, $5 hash of the session that this browser had, or NULL
-- Who suspends the user waits for this row of users and ends the session, or was first and there is none.
WITH swept AS (
  DELETE FROM browser_sessions WHERE hash IN (
    SELECT hash FROM browser_sessions WHERE expires_at < now() ORDER BY expires_at LIMIT 16 FOR UPDATE SKIP LOCKED)
), replaced AS (
  DELETE FROM browser_sessions WHERE hash = $5 AND expires_at >= now() AND provider_id IS NULL
), owner AS (
  SELECT u.id, u.sessions_generation FROM users u
  WHERE u.id = $3 AND u.status = 'active' AND NOT u.is_system FOR SHARE
)
INSERT INTO browser_sessions (hash, id, user_id, user_generation, expires_at)
SELECT $1, $2, owner.id, owner.sessions_generation, now() + $4::bigint * interval '1 second' FROM owner
RETURNING id
