-- $1 user id, $2 token id
DELETE FROM api_tokens WHERE user_id = $1 AND id = $2 AND family_id IS NULL RETURNING hash
