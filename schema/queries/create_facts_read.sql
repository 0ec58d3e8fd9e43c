-- $1 owner id or NULL, $2 owner name or NULL, $3 template id or NULL, $4 version id or NULL, $5 workspace name or NULL,
-- $6 provider ids where no version is asked about, or NULL
-- Everything a create or a preflight asks for in one round trip: one row a link of the owner at a provider of the version,
-- or one row with NULLs in the link's columns. Columns of what was not found are NULL. Every step is one index lookup.
SELECT u.id, u.username, u.email, u.status = 'suspended', u.roles, u.created_at,
  t.name, t.enforcement, t.deprecated,
  v.id, v.template_id, v.ordinal, v.archived, v.created_at, v.external_auth,
  w.id IS NOT NULL,
  l.owner_id, l.provider_id, l.generation, l.key_id, l.access_token, l.refresh_token, l.extras, l.account,
  l.remembered_reason, l.remembered_detail, l.issued_at, l.expires_at, l.last_valid_at, l.created_at, l.updated_at
FROM (SELECT) AS question
LEFT JOIN users u ON u.id = coalesce($1, (SELECT n.id FROM users n WHERE n.username = $2)) AND NOT u.is_system
LEFT JOIN template_versions v ON v.id = coalesce($4, (SELECT a.active_version_id FROM templates a WHERE a.id = $3))
LEFT JOIN templates t ON t.id = v.template_id
LEFT JOIN workspaces w ON w.owner_id = u.id AND w.name = $5 AND w.deleted_at IS NULL
LEFT JOIN links l ON l.owner_id = u.id AND l.provider_id = ANY (coalesce(v.provider_ids, $6::text[])) AND l.access_token IS NOT NULL
