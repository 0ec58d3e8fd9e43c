-- $1 hash, $2 user id, $3 provider id, $4 device code, $5 key id or NULL, $6 interval in seconds, $7 lifetime in seconds
-- A code that ran out is kept a while, so that who still asks for it is told so.
WITH swept AS (
  DELETE FROM provider_devices WHERE hash IN (
    SELECT hash FROM provider_devices WHERE expires_at < now() - interval '10 minutes'
    ORDER BY expires_at LIMIT 16 FOR UPDATE SKIP LOCKED)
)
INSERT INTO provider_devices (hash, user_id, provider_id, device_code, key_id, interval_s, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7::bigint * interval '1 second')
