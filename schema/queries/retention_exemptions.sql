-- no parameters
-- An exemption that is over is shown for a while, so that who wonders what changed finds it.
WITH gone AS (
  DELETE FROM exemptions
  WHERE id = ANY (ARRAY (
    SELECT e.id FROM exemptions e WHERE e.expires_at < now() - interval '30 days' LIMIT 1000 FOR UPDATE SKIP LOCKED))
  RETURNING 1
)
SELECT count(*) FROM gone
