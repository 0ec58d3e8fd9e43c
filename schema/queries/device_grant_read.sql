-- $1 hash of the device code
-- The family is there and its first refresh token unused: only then may the same pair be given once more.
SELECT g.id, g.client_id, g.status, g.interval_s * 1000::bigint, g.polled_at, g.expires_at, g.redeemed_at,
  f.id IS NOT NULL AND f.rotated_at IS NULL, g.sealed_pair, f.access_expires_at, statement_timestamp()
FROM device_grants g
LEFT JOIN token_families f ON f.grant_id = g.id
WHERE g.code_hash = $1
