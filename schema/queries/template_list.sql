-- $1 after id (the nil UUID: from the start), $2 limit
SELECT t.id, t.name, t.active_version_id, t.enforcement, t.deprecated, t.created_at, t.updated_at
FROM templates t
WHERE t.id > $1
ORDER BY t.id
LIMIT $2
