-- $1 hash
-- Nobody waits: a row somebody else is writing is being touched already, and losing the last minute in a crash is fine.
WITH relaxed AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true)
), stale AS (
  SELECT t.hash FROM relaxed, api_tokens t
  WHERE t.hash = $1 AND (t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute')
  FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE api_tokens t SET last_used_at = now() FROM stale WHERE t.hash = stale.hash
