-- $1 owner id, $2 provider id, $3 generation
UPDATE links SET last_valid_at = NULL
WHERE owner_id = $1 AND provider_id = $2 AND generation = $3 AND last_valid_at IS NOT NULL
