-- $1 owner id, $2 provider id
-- Empties the row and hands out what it held. A create that has locked it FOR SHARE goes first; one that comes later
-- finds another generation.
WITH held AS MATERIALIZED (
  SELECT l.owner_id, l.provider_id, l.generation, l.key_id, l.access_token, l.refresh_token, l.extras, l.account,
    l.remembered_reason, l.remembered_detail, l.issued_at, l.expires_at, l.last_valid_at, l.created_at, l.updated_at
  FROM links l
  WHERE l.owner_id = $1 AND l.provider_id = $2 AND l.access_token IS NOT NULL
  FOR UPDATE
), emptied AS (
  UPDATE links l
  SET generation = l.generation + 1, access_token = NULL, refresh_token = NULL, extras = NULL, key_id = NULL,
    account = NULL, expires_at = NULL, last_valid_at = NULL, remembered_reason = NULL, remembered_detail = NULL,
    lease_id = NULL, lease_until = NULL, unresolved = 0, cooldown_until = NULL, cooldown_reason = NULL,
    cooldown_client = NULL, last_failure = NULL, last_failure_at = NULL, updated_at = now()
  FROM held
  WHERE l.owner_id = held.owner_id AND l.provider_id = held.provider_id
)
SELECT * FROM held
