-- $1 the newest decision that is too many
-- Rows are compared as wholes, so that the index of outcomes is walked and no allowed row is.
WITH relaxed AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true)
), refused AS MATERIALIZED (
  SELECT d.id
  FROM relaxed, decisions d
  WHERE (d.outcome, d.id) >= ('refused', '00000000-0000-0000-0000-000000000000') AND (d.outcome, d.id) <= ('refused', $1)
  ORDER BY d.outcome, d.id
  LIMIT 1000
  FOR UPDATE OF d SKIP LOCKED
), unverifiable AS MATERIALIZED (
  SELECT d.id
  FROM relaxed, decisions d
  WHERE (d.outcome, d.id) >= ('unverifiable', '00000000-0000-0000-0000-000000000000')
    AND (d.outcome, d.id) <= ('unverifiable', $1)
  ORDER BY d.outcome, d.id
  LIMIT 1000
  FOR UPDATE OF d SKIP LOCKED
), gone AS (
  DELETE FROM decisions
  WHERE id = ANY (ARRAY (SELECT id FROM refused UNION ALL SELECT id FROM unverifiable))
  RETURNING 1
)
SELECT count(*) FROM gone
