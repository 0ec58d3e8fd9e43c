-- no parameters
-- A code is kept for a while behind its end: an approved one is redeemed a little late, a redeemed one answered again.
WITH gone AS (
  DELETE FROM device_grants
  WHERE id = ANY (ARRAY (
    SELECT g.id FROM device_grants g WHERE g.expires_at < now() - interval '1 hour' LIMIT 1000 FOR UPDATE SKIP LOCKED))
  RETURNING 1
)
SELECT count(*) FROM gone
