-- no parameters
WITH old AS MATERIALIZED (
  SELECT k.user_id, k.key_hash
  FROM idempotency_keys k
  WHERE k.expires_at < now()
  LIMIT 1000
  FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM idempotency_keys k USING old o WHERE k.user_id = o.user_id AND k.key_hash = o.key_hash RETURNING 1
)
SELECT count(*) FROM gone
