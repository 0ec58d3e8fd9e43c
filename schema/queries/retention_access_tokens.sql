-- no parameters
WITH gone AS (
  DELETE FROM api_tokens
  WHERE hash = ANY (ARRAY (
    SELECT t.hash FROM api_tokens t WHERE t.family_id IS NOT NULL AND t.expires_at < now() LIMIT 1000
    FOR UPDATE SKIP LOCKED))
  RETURNING 1
)
SELECT count(*) FROM gone
