-- $1 hash, $2 session id, $3 provider id, $4 verifier or NULL, $5 key id or NULL, $6 redirect or NULL, $7 lifetime in
-- seconds
WITH swept AS (
  DELETE FROM oauth_states WHERE hash IN (
    SELECT hash FROM oauth_states WHERE expires_at < now() ORDER BY expires_at LIMIT 16 FOR UPDATE SKIP LOCKED)
)
INSERT INTO oauth_states (hash, session_id, provider_id, verifier, key_id, redirect, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7::bigint * interval '1 second')
