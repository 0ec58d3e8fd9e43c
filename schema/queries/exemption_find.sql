-- $1 id
SELECT e.id, e.owner_id, u.username, e.template_id, t.name, e.provider_id, e.reason, e.granted_by_id, e.granted_by_name,
  e.expires_at, e.created_at
FROM exemptions e
JOIN users u ON u.id = e.owner_id
JOIN templates t ON t.id = e.template_id
WHERE e.id = $1
