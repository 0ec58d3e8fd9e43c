-- $1 hash
-- How many milliseconds the token is still good; and whether the time of the last use is more than a minute old and
-- therefore worth writing.
SELECT u.id, u.username, u.email, u.status = 'suspended', u.roles, u.created_at,
  floor(extract(epoch FROM t.expires_at - now()) * 1000)::bigint,
  t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute'
FROM api_tokens t
JOIN users u ON u.id = t.user_id
WHERE t.hash = $1 AND t.expires_at > now() AND NOT u.is_system
