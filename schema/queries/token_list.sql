-- $1 user id, $2 after id (the nil UUID: from the start), $3 limit
-- The access tokens of a login come and go every few minutes, and end with it.
SELECT id, name, created_at, expires_at, last_used_at
FROM api_tokens
WHERE user_id = $1 AND id > $2 AND family_id IS NULL
ORDER BY id
LIMIT $3
