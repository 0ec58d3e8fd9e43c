-- $1 workspace id, $2 owner id, $3 name, $4 version id, $5 parameters, $6 warnings, $7 build id, $8 provider ids relied on
-- (text[]), $9 their generations (bigint[]); the decision: $10 id, $11 request id, $12 surface, $13 moment, $14 initiator
-- id, $15 on behalf of, $16 owner name, $17 outcome, $18 strict outcome, $19 reasons (text[]), $20 findings, $21 duration
-- in ms; $22 created at or NULL for now; $23 hash of the Idempotency-Key or NULL, $24 its holder, and the answer it is to stand
-- for: $25 status, $26 location, $27 body
-- The links relied on are locked before anything is written: an unlink or re-link is before this statement, and then the
-- generation differs and no row is written, or behind it. A key is answered here, so that no crash parts the answer from the
-- rows, and where it is not the holder's any more no row is written either. A taken name ends it by
-- workspaces_owner_id_name_key, an owner who was removed meanwhile by workspaces_owner_id_fkey. The row says when it was
-- created, or NULL and why not.
WITH relied AS MATERIALIZED (
  SELECT 1
  FROM unnest($8::text[], $9::bigint[]) AS r (provider_id, generation)
  JOIN links l ON l.owner_id = $2 AND l.provider_id = r.provider_id AND l.generation = r.generation
  FOR SHARE OF l
), stand AS MATERIALIZED (
  SELECT (SELECT count(*) FROM relied) = cardinality($8::text[]) AS links,
    EXISTS (SELECT FROM users WHERE id = $2 AND status = 'active') AS owner,
    EXISTS (SELECT FROM template_versions WHERE id = $4 AND NOT archived) AS version
), once AS (
  UPDATE idempotency_keys k
  SET held_until = NULL, status = $25, location = $26, body = $27
  FROM stand
  WHERE $23::bytea IS NOT NULL AND links AND owner AND version
    AND k.user_id = $14 AND k.key_hash = $23 AND k.holder = $24 AND k.held_until IS NOT NULL
  RETURNING k.holder
), workspace AS (
  INSERT INTO workspaces (id, owner_id, name, template_version_id, decision_id, parameters, warnings, created_at)
  SELECT $1, $2, $3, $4, $10, $5, $6, coalesce($22, now())
  FROM stand
  WHERE links AND owner AND version AND ($23::bytea IS NULL OR EXISTS (SELECT FROM once))
  RETURNING id, created_at
), build AS (
  INSERT INTO builds (id, workspace_id, number, transition, reason, moment, initiator_id, decision_id, warnings, created_at)
  SELECT $7, id, 1, 'start', 'initiator', $13, $14, $10, $6, created_at FROM workspace
), decision AS (
  INSERT INTO decisions (id, request_id, surface, moment, initiator_id, on_behalf_of, owner_id, owner_name,
    template_version_id, outcome, strict_outcome, reasons, findings, duration_ms)
  SELECT $10, $11, $12, $13, $14, $15, $2, $16, $4, $17, $18, $19, $20, $21 FROM workspace
)
SELECT w.created_at, s.owner, s.version, s.links FROM stand s LEFT JOIN workspace w ON true
