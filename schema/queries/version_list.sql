-- $1 template id, $2 after id (the nil UUID: from the start), $3 limit
SELECT v.id, v.template_id, v.ordinal, v.archived, v.created_at, v.external_auth
FROM template_versions v
WHERE v.template_id = $1 AND v.id > $2
ORDER BY v.id
LIMIT $3
