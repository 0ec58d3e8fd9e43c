-- $1 id
SELECT d.id, d.request_id, d.surface, d.moment, d.initiator_id,
  (SELECT i.username FROM users i WHERE i.id = d.initiator_id), d.on_behalf_of, d.owner_id,
  coalesce(d.owner_name, (SELECT o.username FROM users o WHERE o.id = d.owner_id)), d.template_version_id, d.outcome,
  d.strict_outcome, array_to_json(coalesce(d.reasons, '{}')), d.findings, d.duration_ms, d.created_at
FROM decisions d
WHERE d.id = $1
