-- $1 build id, $2 provisioner id, $3 attempt or NULL, $4 status, $5 error (JSON) or NULL
-- Ends a build that this provisioner holds. A deletion that succeeded ends its workspace and cancels what is queued behind
-- it; its workspace is locked first, and where another build was added since this statement began, which it therefore does
-- not see, it does nothing and is to be run again; so where it waited for
-- another who ended the build. Columns: found, done, to be run again unless done, said before. Saying the same twice is no
-- conflict.
WITH target AS MATERIALIZED (
  SELECT * FROM builds WHERE id = $1
), workspace AS MATERIALIZED (
  SELECT w.id, w.build_number
  FROM workspaces w JOIN target t ON w.id = t.workspace_id
  WHERE t.transition = 'delete'
  FOR NO KEY UPDATE OF w
), stale AS MATERIALIZED (
  SELECT EXISTS (SELECT FROM workspace w
    WHERE w.build_number <> (SELECT max(number) FROM builds WHERE workspace_id = w.id)) AS yes
), done AS (
  UPDATE builds b
  SET status = $4, error = $5, completed_at = clock_timestamp()
  FROM stale s
  WHERE b.id = $1 AND b.provisioner_id = $2 AND b.status = 'running' AND b.attempt = coalesce($3::int, b.attempt)
    AND NOT s.yes
  RETURNING b.id, b.workspace_id, b.number, b.transition
), ended AS (
  UPDATE workspaces w
  SET deleted_at = CASE WHEN $4 = 'succeeded' THEN clock_timestamp() END,
    deleting_number = CASE WHEN w.deleting_number = d.number THEN NULL ELSE w.deleting_number END
  FROM done d
  WHERE w.id = d.workspace_id AND d.transition = 'delete'
), canceled AS (
  UPDATE builds b SET status = 'canceled', completed_at = clock_timestamp(), lease_id = NULL, lease_until = NULL
  FROM done d
  WHERE b.workspace_id = d.workspace_id AND b.id <> d.id AND d.transition = 'delete' AND $4 = 'succeeded'
    AND b.status = 'pending'
)
SELECT EXISTS (SELECT FROM target), EXISTS (SELECT FROM done),
  s.yes OR EXISTS (SELECT FROM target t WHERE t.provisioner_id = $2 AND t.status = 'running'
    AND t.attempt = coalesce($3::int, t.attempt)),
  EXISTS (SELECT FROM target t WHERE t.provisioner_id = $2 AND t.status = $4 AND t.attempt = coalesce($3::int, t.attempt)
    AND t.error::text IS NOT DISTINCT FROM $5::json::text)
FROM stale s
