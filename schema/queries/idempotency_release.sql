-- $1 user id, $2 hash of the key, $3 holder
-- Gives a key back that was not answered, if it is still this holder's. Nobody waits for the disk: what a crash brings back
-- ends with its hold.
WITH relaxed AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true)
)
DELETE FROM idempotency_keys k
USING relaxed
WHERE k.user_id = $1 AND k.key_hash = $2 AND k.holder = $3 AND k.held_until IS NOT NULL
