-- $1 key id or '', $2 after this hash in hexadecimal, $3 and this provider id, $4 limit
-- A device code is bound to the SHA-256 of its row's key (store/provider_device.c).
SELECT encode(d.hash, 'hex'), d.provider_id, encode(sha256(d.hash), 'hex'), 0::bigint, d.device_code
FROM provider_devices d
WHERE coalesce(d.key_id, '') = $1 AND (d.hash, d.provider_id) > (decode($2, 'hex'), $3) AND d.device_code IS NOT NULL
ORDER BY d.hash, d.provider_id
LIMIT $4
