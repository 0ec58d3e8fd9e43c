-- $1 build id, $2 workspace id, $3 transition, $4 reason, $5 initiator id, $6 owner id, $7 created at or NULL for now; $8 hash
-- of the Idempotency-Key or NULL, $9 its holder, and the answer it is to stand for: $10 status, $11 location, $12 body with $13
-- where the build's number is to stand; $14 so many open builds a workspace may have
-- A stop or a deletion, which no gate blocks, or the start of a workspace built ahead. Nothing is added: the workspace is
-- deleted or somebody else's by now, it is to be started while it is being deleted, or too many builds wait already, but for
-- a first deletion. See build_insert_start for the number and for a build id that is there already. The last columns: only a
-- key that is not the holder's any more stood in the way; there are too many.
WITH again AS MATERIALIZED (
  SELECT number, created_at FROM builds WHERE id = $1
), waiting AS MATERIALIZED (
  SELECT count(*) >= $14 AS is_full FROM builds WHERE workspace_id = $2 AND status IN ('pending', 'running')
), target AS MATERIALIZED (
  SELECT w.id, w.build_number + 1 AS number
  FROM workspaces w
  WHERE w.id = $2 AND w.owner_id = $6 AND w.deleted_at IS NULL AND ($3 <> 'start' OR w.deleting_number IS NULL)
    AND (NOT (SELECT is_full FROM waiting) OR ($3 = 'delete' AND w.deleting_number IS NULL))
    AND NOT EXISTS (SELECT FROM again)
  FOR NO KEY UPDATE OF w
), once AS (
  UPDATE idempotency_keys k
  SET held_until = NULL, status = $10, location = $11, body = replace($12, $13, t.number::text)
  FROM target t
  WHERE $8::bytea IS NOT NULL AND k.user_id = $5 AND k.key_hash = $8 AND k.holder = $9 AND k.held_until IS NOT NULL
  RETURNING k.holder
), workspace AS (
  UPDATE workspaces w
  SET build_number = t.number, deleting_number = CASE WHEN $3 = 'delete' THEN t.number ELSE w.deleting_number END
  FROM target t
  WHERE w.id = t.id AND ($8::bytea IS NULL OR EXISTS (SELECT FROM once))
  RETURNING w.id, w.build_number
), build AS (
  INSERT INTO builds (id, workspace_id, number, transition, reason, moment, initiator_id, created_at)
  SELECT $1, id, build_number, $3, $4, '', $5, coalesce($7, now()) FROM workspace
  RETURNING number, created_at
)
SELECT coalesce(b.number, a.number), coalesce(b.created_at, a.created_at), EXISTS (SELECT FROM target), q.is_full
FROM waiting q LEFT JOIN build b ON true LEFT JOIN again a ON true
