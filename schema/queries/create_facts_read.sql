-- $1 owner ids, $2 owner names, $3 template ids, $4 version ids, $5 workspace names, $6 lists of provider ids with commas
--   where no version is asked about: text[] of one length, an element a question, each may be NULL
-- Everything that creates and preflights ask for in one round trip: one row a link of the owner at a provider of the
-- version and one row an exemption in force from such a provider, or one row with NULLs in the columns of both; in front the
-- number of the question, from 1. A column costs both sides something in every answer, and hardly anybody is exempt: so an
-- exemption stands in the columns of a link, has no generation, and the time of this reading as the one it was issued at.
-- Columns of what was not found are NULL. Every step is one index lookup: OFFSET 0 keeps the planner from joining the tables
-- of all questions at once.
SELECT question.number, answer.*
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
  WITH ORDINALITY AS question (owner_id, owner_name, template_id, version_id, workspace_name, provider_ids, number)
CROSS JOIN LATERAL (
  SELECT u.id, u.username, u.email, u.status = 'suspended', u.roles, u.created_at,
    t.name, t.enforcement, t.deprecated,
    v.id, v.template_id, v.ordinal, v.archived, v.created_at, v.external_auth,
    w.id IS NOT NULL,
    f.owner_id, f.provider_id, f.generation, f.key_id, f.access_token, f.refresh_token, f.extras, f.account,
    f.remembered_reason, f.remembered_detail, f.issued_at, f.expires_at, f.last_valid_at, f.created_at, f.updated_at
  FROM (SELECT) AS one
  LEFT JOIN users u ON u.id = coalesce(question.owner_id::uuid,
    (SELECT n.id FROM users n WHERE n.username = question.owner_name)) AND NOT u.is_system
  LEFT JOIN template_versions v ON v.id = coalesce(question.version_id::uuid,
    (SELECT a.active_version_id FROM templates a WHERE a.id = question.template_id::uuid))
  LEFT JOIN templates t ON t.id = v.template_id
  LEFT JOIN workspaces w ON w.owner_id = u.id AND w.name = question.workspace_name AND w.deleted_at IS NULL
  LEFT JOIN LATERAL (
    SELECT l.owner_id, l.provider_id, l.generation, l.key_id, l.access_token, l.refresh_token, l.extras, l.account,
      l.remembered_reason, l.remembered_detail, l.issued_at, l.expires_at, l.last_valid_at, l.created_at, l.updated_at
    FROM links l
    WHERE l.owner_id = u.id AND l.access_token IS NOT NULL
      AND l.provider_id = ANY (coalesce(v.provider_ids, string_to_array(question.provider_ids, ',')))
    UNION ALL
    SELECT e.id, e.provider_id, NULL, e.granted_by_name, NULL, NULL, NULL, e.reason,
      NULL, NULL, now(), e.expires_at, NULL, e.created_at, NULL
    FROM exemptions e
    WHERE e.owner_id = u.id AND e.template_id = v.template_id AND e.provider_id = ANY (v.provider_ids)
      AND e.expires_at > now()
  ) f ON true
  OFFSET 0
) answer
