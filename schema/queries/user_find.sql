-- $1 id or NULL, $2 username or NULL
-- The name is looked up only where no id is given; either way the row comes by an index.
SELECT u.id, u.username, u.email, u.status = 'suspended', u.roles, u.created_at
FROM users u
WHERE u.id = coalesce($1, (SELECT n.id FROM users n WHERE n.username = $2)) AND NOT u.is_system
