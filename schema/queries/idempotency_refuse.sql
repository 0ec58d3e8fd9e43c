-- $1 user id, $2 hash of the key, $3 holder, $4 how long the key is kept from now, in ms
-- Ends the hold of a run that the gate refused, if the key is still this holder's: the same request may be judged anew, and no
-- other one has the key meanwhile. Nobody waits for the disk: what a crash brings back ends with its hold.
WITH relaxed AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true)
)
UPDATE idempotency_keys k
SET held_until = to_timestamp(0), expires_at = statement_timestamp() + $4::float8 * interval '1 millisecond'
FROM relaxed
WHERE k.user_id = $1 AND k.key_hash = $2 AND k.holder = $3 AND k.held_until IS NOT NULL
