-- $1 the newest decision that is too many
WITH relaxed AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true)
), gone AS (
  DELETE FROM decisions
  WHERE id = ANY (ARRAY (
    SELECT d.id FROM relaxed, decisions d WHERE d.made_nothing AND d.id <= $1 ORDER BY d.id LIMIT 1000 FOR UPDATE OF d SKIP LOCKED))
  RETURNING 1
)
SELECT count(*) FROM gone
