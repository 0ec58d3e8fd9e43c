-- no parameters
WITH gone AS (
  DELETE FROM token_families
  WHERE id = ANY (ARRAY (
    SELECT f.id FROM token_families f WHERE f.idle_until < now() LIMIT 1000 FOR UPDATE SKIP LOCKED))
  RETURNING 1
)
SELECT count(*) FROM gone
