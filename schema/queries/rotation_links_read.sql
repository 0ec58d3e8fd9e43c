-- $1 key id or '', $2 after this owner id, $3 and this provider id, $4 limit
SELECT l.owner_id::text, l.provider_id, l.owner_id::text, l.generation, l.access_token, l.refresh_token, l.extras
FROM links l
WHERE coalesce(l.key_id, '') = $1 AND (l.owner_id, l.provider_id) > ($2::uuid, $3) AND l.access_token IS NOT NULL
ORDER BY l.owner_id, l.provider_id
LIMIT $4
