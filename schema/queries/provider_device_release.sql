-- $1 hash, $2 poll id, $3 outcome or NULL, $4 interval in seconds, $5 wait in seconds
-- What asking the provider has come to, where nobody else was given the right to ask meanwhile; but that it was granted is
-- noted whoever asks now. A longer interval counts from now on; a shorter wait than was noted before does not.
UPDATE provider_devices
SET outcome = $3, device_code = CASE WHEN $3::text IS NULL THEN device_code END,
  key_id = CASE WHEN $3::text IS NULL THEN key_id END, interval_s = $4,
  next_poll_at = greatest(next_poll_at, clock_timestamp() + $5::bigint * interval '1 second'), poll_id = NULL, poll_until = NULL
WHERE hash = $1 AND (poll_id = $2 OR $3::text = 'granted')
