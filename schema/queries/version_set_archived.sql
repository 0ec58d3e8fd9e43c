-- $1 id, $2 archived
UPDATE template_versions SET archived = $2 WHERE id = $1
RETURNING id, template_id, ordinal, archived, created_at, external_auth
