-- arrays of one element a decision: $1 ids, $2 request ids, $3 surfaces, $4 moments, $5 initiator ids, $6 on behalf of,
-- $7 owner ids, $8 owner names, $9 version ids, $10 outcomes, $11 strict outcomes, $12 reasons (words with commas between),
-- $13 findings, $14 durations in ms, $15 times
-- Refusals are many and losing the last fraction of a second of them in a crash is fine, so nobody waits for the disk. A
-- batch that is sent again after an answer got lost writes only what is missing.
WITH relaxed AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true)
)
INSERT INTO decisions (id, request_id, surface, moment, initiator_id, on_behalf_of, owner_id, owner_name,
  template_version_id, outcome, strict_outcome, reasons, findings, duration_ms, created_at)
SELECT d.id::uuid, d.request_id, coalesce(d.surface, 'api'), d.moment, d.initiator_id::uuid, d.on_behalf_of,
  d.owner_id::uuid, d.owner_name, d.version_id::uuid, d.outcome, d.strict_outcome, string_to_array(d.reasons, ','),
  d.findings::jsonb, d.duration_ms, timestamptz 'epoch' + d.at_ms * interval '1 millisecond'
FROM relaxed, unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[])
  AS d (id, request_id, surface, moment, initiator_id, on_behalf_of, owner_id, owner_name, version_id, outcome,
    strict_outcome, reasons, findings, duration_ms, at_ms)
ON CONFLICT (id) DO NOTHING
