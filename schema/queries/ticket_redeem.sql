-- $1 ticket hash, $2 provider id, $3 session hash, $4 session id, $5 session lifetime in seconds
-- Of two that redeem one ticket at once, one deletes the row and the other finds none.
WITH swept AS (
  DELETE FROM browser_sessions WHERE hash IN (
    SELECT hash FROM browser_sessions WHERE expires_at < now() ORDER BY expires_at LIMIT 16 FOR UPDATE SKIP LOCKED)
), spent AS (
  DELETE FROM browser_tickets WHERE hash = $1 AND provider_id = $2 AND expires_at > now()
  RETURNING user_id, provider_id, redirect
)
INSERT INTO browser_sessions (hash, id, user_id, provider_id, redirect, expires_at)
SELECT $3, $4, spent.user_id, spent.provider_id, spent.redirect, now() + $5::bigint * interval '1 second' FROM spent
RETURNING id
