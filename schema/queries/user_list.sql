-- $1 after id (the nil UUID: from the start), $2 limit
SELECT u.id, u.username, u.email, u.status = 'suspended', u.roles, u.created_at
FROM users u
WHERE u.id > $1 AND NOT u.is_system
ORDER BY u.id
LIMIT $2
