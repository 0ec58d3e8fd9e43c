-- $1 owner id, $2 provider id, $3 generation, $4 lease id, $5 access token, $6 refresh token or NULL, $7 extras or NULL,
-- $8 key id or NULL, $9 expires at or NULL
-- Whoever linked again, unlinked or took the lease meanwhile has won: then nothing is written and there is no row. A lease
-- that has run out and that nobody took is still good. lease_id stays, as the mark of who wrote the generation.
UPDATE links l
SET generation = l.generation + 1, access_token = $5, refresh_token = $6, extras = $7, key_id = $8, issued_at = now(),
  expires_at = $9, last_valid_at = NULL, remembered_reason = NULL, remembered_detail = NULL, lease_until = NULL,
  unresolved = 0, cooldown_until = NULL, cooldown_reason = NULL, cooldown_client = NULL, last_failure = NULL,
  last_failure_at = NULL, updated_at = now()
WHERE l.owner_id = $1 AND l.provider_id = $2 AND l.generation = $3 AND l.lease_id = $4 AND l.access_token IS NOT NULL
RETURNING l.generation
