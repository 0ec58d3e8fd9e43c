-- $1 id, $2 username, $3 email or NULL, $4 suspended, $5 roles
INSERT INTO users AS u (id, username, email, status, roles)
VALUES ($1, $2, $3, CASE WHEN $4 THEN 'suspended' ELSE 'active' END, $5)
RETURNING u.id, u.username, u.email, u.status = 'suspended', u.roles, u.created_at
