-- $1 owner id or NULL, $2 owner name or NULL, $3 version id or NULL, $4 provider ids
-- What a receipt speaks of, as it stands: one row a link that is there, or one row with NULLs in the link's columns. Each
-- step is one index lookup.
SELECT u.id IS NOT NULL, u.status = 'suspended', v.id IS NOT NULL, v.archived, l.provider_id, l.generation
FROM (SELECT) AS question
LEFT JOIN users u ON u.id = coalesce($1, (SELECT n.id FROM users n WHERE n.username = $2)) AND NOT u.is_system
LEFT JOIN template_versions v ON v.id = $3
LEFT JOIN links l ON l.owner_id = u.id AND l.provider_id = ANY ($4) AND l.access_token IS NOT NULL
