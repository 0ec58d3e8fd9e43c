-- $1 owner id, $2 provider id
SELECT l.owner_id, l.provider_id, l.generation, l.key_id, l.access_token, l.refresh_token, l.extras, l.account,
  l.remembered_reason, l.remembered_detail, l.issued_at, l.expires_at, l.last_valid_at, l.created_at, l.updated_at
FROM links l
WHERE l.owner_id = $1 AND l.provider_id = $2 AND l.access_token IS NOT NULL
