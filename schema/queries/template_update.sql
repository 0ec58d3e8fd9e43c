-- $1 id, $2 active version id or NULL, $3 enforcement or NULL, $4 deprecated or NULL; NULL: stays as it is
-- The version is locked before the template, as version_set_archived does, so that a version is never active and
-- archived. First column: is there such a template; second: may the version be made active (true where none is given).
WITH version AS MATERIALIZED (
  SELECT v.id FROM template_versions v
  WHERE v.id = $2 AND v.template_id = $1 AND NOT v.archived
  FOR SHARE
), lawful AS MATERIALIZED (
  SELECT $2::uuid IS NULL OR EXISTS (SELECT FROM version) AS yes
), changed AS (
  UPDATE templates t
  SET active_version_id = coalesce($2, t.active_version_id), enforcement = coalesce($3, t.enforcement),
    deprecated = coalesce($4, t.deprecated), updated_at = now()
  FROM lawful
  WHERE t.id = $1 AND lawful.yes
  RETURNING t.id, t.name, t.active_version_id, t.enforcement, t.deprecated, t.created_at, t.updated_at
)
SELECT EXISTS (SELECT FROM templates WHERE id = $1), lawful.yes,
  t.id, t.name, t.active_version_id, t.enforcement, t.deprecated, t.created_at, t.updated_at
FROM lawful LEFT JOIN changed t ON true
