-- arrays of one element a decision: $1 ids, $2 request ids, $3 moments, $4 initiator ids, $5 owner ids, $6 version ids,
-- $7 outcomes, $8 findings, $9 durations in ms, $10 times
-- Refusals are many and losing the last fraction of a second of them in a crash is fine, so nobody waits for the disk. A
-- batch that is sent again after an answer got lost writes only what is missing.
WITH relaxed AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true)
)
INSERT INTO decisions (id, request_id, moment, initiator_id, owner_id, template_version_id, outcome, findings,
  duration_ms, created_at)
SELECT d.id::uuid, d.request_id, d.moment, d.initiator_id::uuid, d.owner_id::uuid, d.version_id::uuid, d.outcome,
  d.findings::jsonb, d.duration_ms, timestamptz 'epoch' + d.at_ms * interval '1 millisecond'
FROM relaxed, unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::bigint[], $10::bigint[])
  AS d (id, request_id, moment, initiator_id, owner_id, version_id, outcome, findings, duration_ms, at_ms)
ON CONFLICT (id) DO NOTHING
