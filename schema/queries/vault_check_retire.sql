-- $1 the key id that seals from now on
-- Forgets the check values of keys that no row needs any more, so that a start does not ask for these keys. A service that
-- still seals with one of them may do so behind this; such a row is found by its own key id at the next start.
DELETE FROM vault_check v
WHERE v.key_id <> $1
  AND NOT EXISTS (SELECT FROM links l WHERE coalesce(l.key_id, '') = v.key_id AND l.access_token IS NOT NULL)
  AND NOT EXISTS (SELECT FROM oauth_states s WHERE s.key_id = v.key_id AND s.verifier IS NOT NULL)
  AND NOT EXISTS (SELECT FROM provider_devices d WHERE d.key_id = v.key_id AND d.device_code IS NOT NULL)
RETURNING v.key_id
