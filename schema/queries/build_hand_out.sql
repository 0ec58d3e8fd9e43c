-- $1 build id, $2 lease id of the claim, $3 owner id, $4 provisioner id, $5 lease in ms, $6 whether the owner must be active,
-- $7 provider ids relied on (text[]), $8 their generations (bigint[]), $9 decision (JSON) or NULL
-- Makes the claimed build a running one, if the claim and all that the judgement relied on still stand. The links are
-- locked first, so an unlink is before this statement or behind it. Run again after a lost answer it counts no second
-- attempt. No row in the first columns: not handed out; the others say why.
WITH relied AS MATERIALIZED (
  SELECT 1
  FROM unnest($7::text[], $8::bigint[]) AS r (provider_id, generation)
  JOIN links l ON l.owner_id = $3 AND l.provider_id = r.provider_id AND l.generation = r.generation
  FOR SHARE OF l
), stand AS MATERIALIZED (
  SELECT (SELECT count(*) FROM relied) = cardinality($7::text[]) AS links,
    NOT $6::boolean OR EXISTS (SELECT FROM users WHERE id = $3 AND status = 'active') AS owner
), build AS (
  UPDATE builds b
  SET status = 'running', provisioner_id = $4,
    attempt = CASE b.status WHEN 'pending' THEN b.attempt + 1 ELSE b.attempt END,
    started_at = CASE b.status WHEN 'pending' THEN clock_timestamp() ELSE b.started_at END,
    lease_until = clock_timestamp() + $5::float8 * interval '1 millisecond'
  FROM stand s
  WHERE b.id = $1 AND b.lease_id = $2 AND b.status IN ('pending', 'running') AND s.links AND s.owner
  RETURNING b.attempt, b.started_at, b.lease_until
), decision AS (
  INSERT INTO decisions (id, request_id, surface, moment, initiator_id, owner_id, owner_name, on_behalf_of,
    template_version_id, outcome, strict_outcome, reasons, findings, duration_ms)
  SELECT d.id, d.request_id, d.surface, d.moment, d.initiator_id, d.owner_id, d.owner_name, d.on_behalf_of,
    d.template_version_id, d.outcome, d.strict_outcome, d.reasons, d.findings, d.duration_ms
  FROM build, json_populate_record(NULL::decisions, $9::json) AS d
  WHERE $9::json IS NOT NULL
  ON CONFLICT (id) DO NOTHING
)
SELECT b.attempt, b.started_at, b.lease_until, s.links, s.owner FROM stand s LEFT JOIN build b ON true
