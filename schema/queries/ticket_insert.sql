-- $1 hash, $2 user id, $3 provider id, $4 redirect or NULL, $5 lifetime in seconds
-- Each new ticket sweeps out some that nobody came for; who sweeps at the same time takes others.
WITH swept AS (
  DELETE FROM browser_tickets WHERE hash IN (
    SELECT hash FROM browser_tickets WHERE expires_at < now() ORDER BY expires_at LIMIT 16 FOR UPDATE SKIP LOCKED)
)
INSERT INTO browser_tickets (hash, user_id, provider_id, redirect, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::bigint * interval '1 second')
RETURNING expires_at
