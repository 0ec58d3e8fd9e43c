-- $1 user id, $2 provider id
-- Whether the user is suspended, how many codes wait to be approved, and in how many seconds the first of them runs out.
-- No row: no such user.
SELECT u.status = 'suspended', count(d.hash), coalesce(ceil(extract(epoch FROM min(d.expires_at) - now())), 0)::bigint
FROM users u
LEFT JOIN provider_devices d ON d.user_id = u.id AND d.provider_id = $2 AND d.outcome IS NULL AND d.expires_at > now()
WHERE u.id = $1
GROUP BY u.id
