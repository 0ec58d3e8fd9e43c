-- $1 id, $2 suspended or NULL, $3 email or NULL, $4 clear email, $5 roles or NULL; NULL: stays as it is; $6 the roles that the
-- caller's right was judged by: who was given others meanwhile is judged anew; $7 forget whose account at the sign-in service it is
UPDATE users u
SET status = CASE WHEN $2::boolean IS NULL THEN u.status WHEN $2 THEN 'suspended' ELSE 'active' END,
  email = CASE WHEN $4 THEN NULL ELSE coalesce($3, u.email) END,
  roles = coalesce($5, u.roles),
  oidc_issuer = CASE WHEN $7 THEN NULL ELSE u.oidc_issuer END,
  oidc_subject = CASE WHEN $7 THEN NULL ELSE u.oidc_subject END,
  sessions_generation = u.sessions_generation + CASE WHEN $2 OR $7 THEN 1 ELSE 0 END,
  updated_at = now()
WHERE u.id = $1 AND u.roles = $6 AND NOT u.is_system
RETURNING u.id, u.username, u.email, u.status = 'suspended', u.roles, u.created_at
