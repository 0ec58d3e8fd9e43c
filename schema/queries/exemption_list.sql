-- $1 after id (the nil UUID: from the start), $2 limit, $3 owner id or NULL, $4 owner name or NULL, $5 template id or NULL,
-- $6 template name or NULL, $7 provider id or NULL; a pair that is NULL narrows nothing
SELECT e.id, e.owner_id, u.username, e.template_id, t.name, e.provider_id, e.reason, e.granted_by_id, e.granted_by_name,
  e.expires_at, e.created_at
FROM exemptions e
JOIN users u ON u.id = e.owner_id
JOIN templates t ON t.id = e.template_id
WHERE e.id > $1
  AND ($3::uuid IS NULL OR e.owner_id = $3) AND ($4::text IS NULL OR u.username = $4)
  AND ($5::uuid IS NULL OR e.template_id = $5) AND ($6::text IS NULL OR t.name = $6)
  AND ($7::text IS NULL OR e.provider_id = $7)
ORDER BY e.id
LIMIT $2
