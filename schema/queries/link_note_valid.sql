-- $1 owner id, $2 provider id, $3 generation, $4 account or NULL
UPDATE links l SET last_valid_at = now(), account = coalesce($4, l.account)
WHERE l.owner_id = $1 AND l.provider_id = $2 AND l.generation = $3 AND l.access_token IS NOT NULL
