-- $1 owner id, $2 provider id, $3 access token, $4 refresh token or NULL, $5 extras or NULL, $6 key id or NULL,
-- $7 account or NULL, $8 expires at or NULL
-- A row that unlinking has emptied goes on from its generation; created_at then is the new link's.
INSERT INTO links AS l (owner_id, provider_id, access_token, refresh_token, extras, key_id, account, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (owner_id, provider_id) DO UPDATE SET
  generation = l.generation + 1, access_token = excluded.access_token, refresh_token = excluded.refresh_token,
  extras = excluded.extras, key_id = excluded.key_id, account = excluded.account, issued_at = now(),
  expires_at = excluded.expires_at, last_valid_at = NULL, remembered_reason = NULL, remembered_detail = NULL,
  lease_id = NULL, lease_until = NULL, unresolved = 0, cooldown_until = NULL, cooldown_reason = NULL,
  cooldown_client = NULL, last_failure = NULL, last_failure_at = NULL,
  created_at = CASE WHEN l.access_token IS NULL THEN now() ELSE l.created_at END, updated_at = now()
RETURNING l.generation
