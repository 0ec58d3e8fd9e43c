-- $1 id, $2 archived
-- The version is locked before its template, as template_update does. First column: is it the active one and was it to
-- be archived; the row is then as it was.
WITH version AS MATERIALIZED (
  SELECT v.id, v.template_id FROM template_versions v WHERE v.id = $1 FOR UPDATE
), template AS MATERIALIZED (
  SELECT t.active_version_id FROM version v JOIN templates t ON t.id = v.template_id FOR SHARE OF t
), changed AS (
  UPDATE template_versions v SET archived = $2
  FROM template t
  WHERE v.id = $1 AND NOT ($2 AND t.active_version_id = v.id)
  RETURNING v.id, v.template_id, v.ordinal, v.archived, v.created_at, v.external_auth
)
SELECT c.id IS NULL, c.id, c.template_id, c.ordinal, c.archived, c.created_at, c.external_auth
FROM template LEFT JOIN changed c ON true
