-- $1 id, $2 active version id or NULL, $3 enforcement or NULL, $4 deprecated or NULL; NULL: stays as it is
-- The version is locked, so that it is not archived while it is made the active one. First column: is there such a
-- template; second: is the version this template's (true where none is given); third: is it archived.
WITH version AS MATERIALIZED (
  SELECT v.id, v.archived FROM template_versions v WHERE v.id = $2 AND v.template_id = $1 FOR SHARE
), answer AS MATERIALIZED (
  SELECT $2::uuid IS NULL OR EXISTS (SELECT FROM version) AS own,
    coalesce((SELECT archived FROM version), false) AS archived
), changed AS (
  UPDATE templates t
  SET active_version_id = coalesce($2, t.active_version_id), enforcement = coalesce($3, t.enforcement),
    deprecated = coalesce($4, t.deprecated), updated_at = now()
  FROM answer
  WHERE t.id = $1 AND answer.own AND NOT answer.archived
  RETURNING t.id, t.name, t.active_version_id, t.enforcement, t.deprecated, t.created_at, t.updated_at
)
SELECT EXISTS (SELECT FROM templates WHERE id = $1), answer.own, answer.archived,
  t.id, t.name, t.active_version_id, t.enforcement, t.deprecated, t.created_at, t.updated_at
FROM answer LEFT JOIN changed t ON true
