-- $1 owner id, $2 name, $3 version id, $4 parameters, $5 warnings, $6 build id, $7 initiator id, $8 provider ids relied on
-- (text[]), $9 their generations (bigint[]), $10 decision (JSON), $11 created at of the build or NULL for now; $12 hash of the
-- Idempotency-Key or NULL, $13 its holder, and the answer it is to stand for: $14 status, $15 location, $16 body, with marks for
-- what is known here alone: $17 workspace id, $18 number, $19 time
-- Takes one workspace that was built ahead: built ones first, then the oldest; one that somebody else is about to take is
-- passed over. What a provisioner has not begun is canceled, and a build for the new owner is added. The links relied on
-- are locked first, as at a create. A taken name ends the statement by workspaces_owner_id_name_key, and then nothing is
-- taken. A build id that is there already is an earlier run of the same statement. A key is
-- answered as at a create. The row says what was taken, or NULL; the last column, whether there was anything to take.
WITH again AS MATERIALIZED (
  SELECT b.workspace_id AS id, b.number, b.created_at FROM builds b WHERE b.id = $6
), relied AS MATERIALIZED (
  SELECT 1
  FROM unnest($8::text[], $9::bigint[]) AS r (provider_id, generation)
  JOIN links l ON l.owner_id = $1 AND l.provider_id = r.provider_id AND l.generation = r.generation
  FOR SHARE OF l
), stand AS MATERIALIZED (
  SELECT (SELECT count(*) FROM relied) = cardinality($8::text[]) AS links,
    EXISTS (SELECT FROM users WHERE id = $1 AND status = 'active') AS owner,
    EXISTS (SELECT FROM template_versions WHERE id = $3 AND NOT archived) AS version
), candidate AS MATERIALIZED (
  SELECT w.id, w.build_number + 1 AS number, w.created_at
  FROM workspaces w
  CROSS JOIN LATERAL (SELECT number, transition, status FROM builds WHERE workspace_id = w.id ORDER BY number DESC LIMIT 1) b
  WHERE w.owner_id = '00000000-0000-7000-8000-000000000001' AND w.template_version_id = $3 AND w.deleted_at IS NULL
    AND w.build_number = b.number AND b.transition = 'start' AND b.status IN ('pending', 'running', 'succeeded')
    AND (SELECT links AND owner AND version FROM stand) AND NOT EXISTS (SELECT FROM again)
  ORDER BY b.status = 'succeeded' DESC, w.id
  LIMIT 1
  FOR NO KEY UPDATE OF w SKIP LOCKED
), once AS (
  UPDATE idempotency_keys k
  SET held_until = NULL, status = $14, location = replace($15, $17, c.id::text),
    body = replace(replace(replace($16, $17, c.id::text), $18, c.number::text), $19,
      to_char(c.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
  FROM candidate c
  WHERE $12::bytea IS NOT NULL AND k.user_id = $7 AND k.key_hash = $12 AND k.holder = $13 AND k.held_until IS NOT NULL
  RETURNING k.holder
), workspace AS (
  UPDATE workspaces w
  SET owner_id = $1, name = $2, parameters = $4, warnings = $5, decision_id = ($10::json ->> 'id')::uuid,
    claimed_at = now(), build_number = c.number
  FROM candidate c
  WHERE w.id = c.id AND ($12::bytea IS NULL OR EXISTS (SELECT FROM once))
  RETURNING w.id, w.build_number, w.created_at
), canceled AS (
  UPDATE builds b SET status = 'canceled', completed_at = now(), lease_id = NULL, lease_until = NULL
  FROM workspace w
  WHERE b.workspace_id = w.id AND b.status = 'pending'
), build AS (
  INSERT INTO builds (id, workspace_id, number, transition, reason, moment, initiator_id, decision_id, warnings, created_at)
  SELECT $6, id, build_number, 'start', 'claim', 'claim', $7, ($10::json ->> 'id')::uuid, $5, coalesce($11, now())
  FROM workspace
  RETURNING workspace_id, number, created_at
), decision AS (
  INSERT INTO decisions (id, request_id, surface, moment, initiator_id, owner_id, owner_name, on_behalf_of,
    template_version_id, outcome, strict_outcome, reasons, findings, duration_ms)
  SELECT d.id, d.request_id, d.surface, d.moment, d.initiator_id, d.owner_id, d.owner_name, d.on_behalf_of,
    d.template_version_id, d.outcome, d.strict_outcome, d.reasons, d.findings, d.duration_ms
  FROM workspace, json_populate_record(NULL::decisions, $10::json) AS d
)
SELECT coalesce(b.workspace_id, a.id), coalesce(b.number, a.number), coalesce(b.created_at, a.created_at),
  coalesce(w.created_at, (SELECT created_at FROM workspaces WHERE id = a.id)), s.owner, s.version, s.links,
  EXISTS (SELECT FROM candidate)
FROM stand s LEFT JOIN build b ON true LEFT JOIN workspace w ON true LEFT JOIN again a ON true
