-- $1 owner id or NULL, $2 owner name or NULL, $3 template id or NULL, $4 version id or NULL, $5 workspace name or NULL,
-- $6 provider ids where no version is asked about, or NULL
-- Everything a create or a preflight asks for in one round trip: one row a link of the owner at a provider of the version
-- and one row an exemption in force from such a provider, or one row with NULLs in the columns of both. A column costs both
-- sides something in every answer, and hardly anybody is exempt: so an exemption stands in the columns of a link, has no
-- generation, and the time of this reading as the one it was issued at. Columns of what was not found are NULL. Every step is one index lookup.
SELECT u.id, u.username, u.email, u.status = 'suspended', u.roles, u.created_at,
  t.name, t.enforcement, t.deprecated,
  v.id, v.template_id, v.ordinal, v.archived, v.created_at, v.external_auth,
  w.id IS NOT NULL,
  f.owner_id, f.provider_id, f.generation, f.key_id, f.access_token, f.refresh_token, f.extras, f.account,
  f.remembered_reason, f.remembered_detail, f.issued_at, f.expires_at, f.last_valid_at, f.created_at, f.updated_at
FROM (SELECT) AS question
LEFT JOIN users u ON u.id = coalesce($1, (SELECT n.id FROM users n WHERE n.username = $2)) AND NOT u.is_system
LEFT JOIN template_versions v ON v.id = coalesce($4, (SELECT a.active_version_id FROM templates a WHERE a.id = $3))
LEFT JOIN templates t ON t.id = v.template_id
LEFT JOIN workspaces w ON w.owner_id = u.id AND w.name = $5 AND w.deleted_at IS NULL
LEFT JOIN LATERAL (
  SELECT l.owner_id, l.provider_id, l.generation, l.key_id, l.access_token, l.refresh_token, l.extras, l.account,
    l.remembered_reason, l.remembered_detail, l.issued_at, l.expires_at, l.last_valid_at, l.created_at, l.updated_at
  FROM links l
  WHERE l.owner_id = u.id AND l.provider_id = ANY (coalesce(v.provider_ids, $6::text[])) AND l.access_token IS NOT NULL
  UNION ALL
  SELECT e.id, e.provider_id, NULL, e.granted_by_name, NULL, NULL, NULL, e.reason,
    NULL, NULL, now(), e.expires_at, NULL, e.created_at, NULL
  FROM exemptions e
  WHERE e.owner_id = u.id AND e.template_id = v.template_id AND e.provider_id = ANY (v.provider_ids)
    AND e.expires_at > now()
) f ON true
