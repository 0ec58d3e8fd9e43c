-- $1 issuer, $2 subject, $3 username, $4 id of a new user, $5 whether one may be made, $6 its email or NULL
-- The user that this subject is: bound already, else one of that name that nobody is bound to, else a new one. None: the
-- name is another's, or nobody may be made. Of two subjects that come at once for one name the second finds it bound.
-- `admin`, whom the service makes for a token, is nobody's: whoever could come first under that name would be it.
WITH known AS (
  SELECT u.id, u.username, u.email, u.status, u.roles, u.created_at, 'known' AS how
  FROM users u WHERE u.oidc_issuer = $1 AND u.oidc_subject = $2 AND NOT u.is_system
), bound AS (
  UPDATE users u SET oidc_issuer = $1, oidc_subject = $2, updated_at = now()
  WHERE u.username = $3 AND u.username <> 'admin' AND u.oidc_subject IS NULL AND u.status = 'active' AND NOT u.is_system
    AND NOT EXISTS (SELECT FROM known)
  RETURNING u.id, u.username, u.email, u.status, u.roles, u.created_at, 'bound' AS how
), made AS (
  INSERT INTO users AS u (id, username, email, oidc_issuer, oidc_subject)
  SELECT $4::uuid, $3, $6, $1, $2
  WHERE $5::boolean AND $3::text <> 'admin' AND NOT EXISTS (SELECT FROM known) AND NOT EXISTS (SELECT FROM users n WHERE n.username = $3)
  RETURNING u.id, u.username, u.email, u.status, u.roles, u.created_at, 'made' AS how
)
SELECT f.how, f.id, f.username, f.email, f.status = 'suspended', f.roles, f.created_at
FROM (SELECT * FROM known UNION ALL SELECT * FROM bound UNION ALL SELECT * FROM made) AS f
