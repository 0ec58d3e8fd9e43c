-- $1 version id, $2 template id, $3 external_auth, $4 activate
-- The template's row is locked, so that two versions made at once get different ordinals. The ordinal is read from the
-- versions that are there when the statement starts; a second one that waited for the lock meets the unique ordinal
-- instead and the statement is run again.
WITH template AS MATERIALIZED (
  SELECT t.id FROM templates t WHERE t.id = $2 FOR NO KEY UPDATE
), version AS (
  INSERT INTO template_versions (id, template_id, ordinal, external_auth)
  SELECT $1, t.id, 1 + (SELECT max(o.ordinal) FROM template_versions o WHERE o.template_id = t.id), $3 FROM template t
  RETURNING id, template_id, ordinal, archived, created_at, external_auth
), activated AS (
  UPDATE templates t SET active_version_id = $1, updated_at = now() FROM version v WHERE t.id = v.template_id AND $4
)
SELECT v.id, v.template_id, v.ordinal, v.archived, v.created_at, v.external_auth FROM version v
