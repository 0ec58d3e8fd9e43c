-- $1 lease id, $2 lease in ms
-- The oldest build that nobody works on and that is the lowest open number of its workspace, for as long as it takes to
-- judge it. One that is running, but whose lease ran out, goes back to pending here; the last two columns say who had it
-- and whether that was so. Run again after a lost answer, it finds what it took. The lowest number is asked for build by
-- build along the index, because a join would look at all open builds to find one.
WITH again AS MATERIALIZED (
  SELECT id FROM builds WHERE lease_id = $1 AND status = 'pending'
), candidate AS MATERIALIZED (
  SELECT b.id, b.status = 'running' AS lapsed, b.provisioner_id AS had
  FROM builds b
  WHERE b.status IN ('pending', 'running') AND (b.lease_until IS NULL OR b.lease_until <= clock_timestamp())
    AND NOT EXISTS (SELECT FROM again)
    AND b.number = (SELECT min(o.number) FROM builds o WHERE o.workspace_id = b.workspace_id AND o.status IN ('pending', 'running'))
  ORDER BY b.id
  LIMIT 1
  FOR NO KEY UPDATE OF b SKIP LOCKED
), taken AS (
  UPDATE builds b
  SET status = 'pending', lease_id = $1, lease_until = clock_timestamp() + $2::float8 * interval '1 millisecond',
    provisioner_id = NULL
  FROM candidate c
  WHERE b.id = c.id
  RETURNING b.*
), open AS (
  SELECT * FROM taken UNION ALL SELECT b.* FROM builds b JOIN again a ON a.id = b.id
)
SELECT b.id, b.workspace_id, b.number, b.transition, b.reason, b.status, b.created_at, b.moment, b.initiator_id, b.decision_id,
  b.warnings, b.error, b.attempt, b.provisioner_id, b.started_at, b.completed_at, w.owner_id, u.username,
  w.name, v.template_id, w.template_version_id, w.parameters, w.created_at, c.had, coalesce(c.lapsed, false)
FROM open b
JOIN workspaces w ON w.id = b.workspace_id
JOIN users u ON u.id = w.owner_id
JOIN template_versions v ON v.id = w.template_version_id
LEFT JOIN candidate c ON true
LIMIT 1
