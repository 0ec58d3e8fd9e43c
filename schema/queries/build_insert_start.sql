-- $1 build id, $2 workspace id, $3 owner id, $4 version id, $5 reason, $6 moment, $7 initiator id, $8 warnings, $9 provider ids
-- relied on (text[]), $10 their generations (bigint[]), $11 decision (JSON), $12 created at or NULL for now; $13 hash of the
-- Idempotency-Key or NULL, $14 its holder, and the answer it is to stand for: $15 status, $16 location, $17 body with $18 where
-- the build's number is to stand; $19 so many open builds a workspace may have
-- The links relied on are locked before anything is written, as at a create; then the workspace's row, which gives the
-- number. A build id that is there already was written by an earlier run of the same statement, whose answer got lost. A key
-- is answered as at a create. The row says the build's number and time, or NULL and why not; the last columns, whether only a
-- key that is not the holder's any more stood in the way, and whether too many builds wait already.
WITH again AS MATERIALIZED (
  SELECT number, created_at FROM builds WHERE id = $1
), relied AS MATERIALIZED (
  SELECT 1
  FROM unnest($9::text[], $10::bigint[]) AS r (provider_id, generation)
  JOIN links l ON l.owner_id = $3 AND l.provider_id = r.provider_id AND l.generation = r.generation
  FOR SHARE OF l
), stand AS MATERIALIZED (
  SELECT (SELECT count(*) FROM relied) = cardinality($9::text[]) AS links,
    EXISTS (SELECT FROM users WHERE id = $3 AND status = 'active') AS owner
), waiting AS MATERIALIZED (
  SELECT count(*) >= $19 AS is_full FROM builds WHERE workspace_id = $2 AND status IN ('pending', 'running')
), target AS MATERIALIZED (
  SELECT w.id, w.build_number + 1 AS number
  FROM workspaces w
  WHERE w.id = $2 AND w.owner_id = $3 AND w.template_version_id = $4 AND w.deleted_at IS NULL AND w.deleting_number IS NULL
    AND (SELECT links AND owner FROM stand) AND NOT (SELECT is_full FROM waiting) AND NOT EXISTS (SELECT FROM again)
  FOR NO KEY UPDATE OF w
), once AS (
  UPDATE idempotency_keys k
  SET held_until = NULL, status = $15, location = $16, body = replace($17, $18, t.number::text)
  FROM target t
  WHERE $13::bytea IS NOT NULL AND k.user_id = $7 AND k.key_hash = $13 AND k.holder = $14 AND k.held_until IS NOT NULL
  RETURNING k.holder
), workspace AS (
  UPDATE workspaces w SET build_number = t.number
  FROM target t
  WHERE w.id = t.id AND ($13::bytea IS NULL OR EXISTS (SELECT FROM once))
  RETURNING w.id, w.build_number
), build AS (
  INSERT INTO builds (id, workspace_id, number, transition, reason, moment, initiator_id, decision_id, warnings, created_at)
  SELECT $1, id, build_number, 'start', $5, $6, $7, ($11::json ->> 'id')::uuid, $8, coalesce($12, now()) FROM workspace
  RETURNING number, created_at
), decision AS (
  INSERT INTO decisions (id, request_id, surface, moment, initiator_id, owner_id, owner_name, on_behalf_of,
    template_version_id, outcome, strict_outcome, reasons, findings, duration_ms)
  SELECT d.id, d.request_id, d.surface, d.moment, d.initiator_id, d.owner_id, d.owner_name, d.on_behalf_of,
    d.template_version_id, d.outcome, d.strict_outcome, d.reasons, d.findings, d.duration_ms
  FROM workspace, json_populate_record(NULL::decisions, $11::json) AS d
)
SELECT coalesce(b.number, a.number), coalesce(b.created_at, a.created_at), s.links, s.owner,
  EXISTS (SELECT FROM workspaces WHERE id = $2 AND deleted_at IS NULL),
  EXISTS (SELECT FROM workspaces WHERE id = $2 AND deleting_number IS NOT NULL),
  EXISTS (SELECT FROM target), q.is_full
FROM stand s CROSS JOIN waiting q LEFT JOIN build b ON true LEFT JOIN again a ON true
