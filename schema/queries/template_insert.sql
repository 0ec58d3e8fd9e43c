-- $1 template id, $2 name, $3 version id, $4 external_auth
WITH template AS (
  INSERT INTO templates (id, name, active_version_id) VALUES ($1, $2, $3)
  RETURNING id, name, active_version_id, enforcement, deprecated, created_at, updated_at
), version AS (
  INSERT INTO template_versions (id, template_id, ordinal, external_auth) VALUES ($3, $1, 1, $4)
  RETURNING id, template_id, ordinal, archived, created_at, external_auth
)
SELECT t.id, t.name, t.active_version_id, t.enforcement, t.deprecated, t.created_at, t.updated_at,
  v.id, v.template_id, v.ordinal, v.archived, v.created_at, v.external_auth
FROM template t, version v
