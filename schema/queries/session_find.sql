-- $1 hash
SELECT s.id, s.provider_id, s.redirect,
  u.id, u.username, u.email, u.status = 'suspended', u.roles, u.created_at
FROM browser_sessions s
JOIN users u ON u.id = s.user_id
WHERE s.hash = $1 AND s.expires_at > now() AND NOT u.is_system
  AND (s.user_generation IS NULL OR s.user_generation = u.sessions_generation)
