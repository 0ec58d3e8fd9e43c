-- $1 id or NULL, $2 name or NULL
SELECT t.id, t.name, t.active_version_id, t.enforcement, t.deprecated, t.created_at, t.updated_at
FROM templates t
WHERE t.id = coalesce($1, (SELECT n.id FROM templates n WHERE n.name = $2))
