-- $1 id
SELECT v.id, v.template_id, v.ordinal, v.archived, v.created_at, v.external_auth FROM template_versions v WHERE v.id = $1
