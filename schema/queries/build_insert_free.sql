-- $1 build id, $2 workspace id, $3 transition, $4 reason, $5 initiator id, $6 owner id
-- A stop or a deletion, which nothing blocks, or the start of a workspace built ahead. No row: the workspace is deleted or
-- somebody else's by now, or it is to be started while it is being deleted. See build_insert_start for the number and for a
-- build id that is there already.
WITH again AS MATERIALIZED (
  SELECT number, created_at FROM builds WHERE id = $1
), workspace AS (
  UPDATE workspaces w
  SET build_number = w.build_number + 1,
    deleting_number = CASE WHEN $3 = 'delete' THEN w.build_number + 1 ELSE w.deleting_number END
  WHERE w.id = $2 AND w.owner_id = $6 AND w.deleted_at IS NULL AND ($3 <> 'start' OR w.deleting_number IS NULL)
    AND NOT EXISTS (SELECT FROM again)
  RETURNING w.id, w.build_number
), build AS (
  INSERT INTO builds (id, workspace_id, number, transition, reason, moment, initiator_id)
  SELECT $1, id, build_number, $3, $4, '', $5 FROM workspace
  RETURNING number, created_at
)
SELECT number, created_at FROM build UNION ALL SELECT number, created_at FROM again
