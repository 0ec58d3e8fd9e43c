-- no parameters
WITH gone AS (
  DELETE FROM login_attempts
  WHERE key = ANY (ARRAY (
    SELECT a.key FROM login_attempts a WHERE a.until < now() LIMIT 1000 FOR UPDATE SKIP LOCKED))
  RETURNING 1
)
SELECT count(*) FROM gone
