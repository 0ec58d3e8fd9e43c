-- $1 hash, $2 hash of the browser's cookie, $3 redirect or NULL, $4 lifetime in seconds
-- Anybody may begin a sign-in: each sweeps out more that nobody came back for than it adds.
WITH swept AS (
  DELETE FROM sign_in_states WHERE hash IN (
    SELECT hash FROM sign_in_states WHERE expires_at < now() ORDER BY expires_at LIMIT 64 FOR UPDATE SKIP LOCKED)
)
INSERT INTO sign_in_states (hash, browser_hash, redirect, expires_at)
VALUES ($1, $2, $3, now() + $4::bigint * interval '1 second')
