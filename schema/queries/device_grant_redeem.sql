-- $1 hash of the device code, $2 client id, $3 family id, $4 hash of its handle, $5 hash of its first secret, $6 hash of the
-- access token, $7 the access token's id, $8 the pair, sealed, $9 life of the access token in ms, $10 of an unused refresh
-- token, $11 of the family, $12 how long after its expiry an approved code is redeemed
-- Consumes the code and mints its tokens, or does neither. The user's row is locked first: a suspension is before this
-- statement, or sees what it made.
WITH owner AS MATERIALIZED (
  SELECT g.id AS grant_id
  FROM device_grants g
  JOIN users u ON u.id = g.user_id
  WHERE g.code_hash = $1 AND g.client_id = $2 AND g.status = 'approved' AND u.status = 'active'
  FOR SHARE OF u
), spent AS (
  UPDATE device_grants g
  SET status = 'consumed', redeemed_at = statement_timestamp(), sealed_pair = $8
  FROM owner o
  WHERE g.id = o.grant_id AND g.status = 'approved'
    AND g.expires_at + $12::float8 * interval '1 millisecond' > statement_timestamp()
  RETURNING g.id, g.user_id, g.client_id
), family AS (
  INSERT INTO token_families (id, user_id, client_id, grant_id, handle_hash, head_hash, access_expires_at, idle_until,
    expires_at)
  SELECT $3, s.user_id, s.client_id, s.id, $4, $5,
    statement_timestamp() + least($9::float8, $11::float8) * interval '1 millisecond',
    statement_timestamp() + least($10::float8, $11::float8) * interval '1 millisecond',
    statement_timestamp() + $11::float8 * interval '1 millisecond'
  FROM spent s
  RETURNING id, user_id, client_id, access_expires_at
)
INSERT INTO api_tokens (hash, id, user_id, name, expires_at, family_id)
SELECT $6, $7, f.user_id, f.client_id, f.access_expires_at, f.id
FROM family f
RETURNING user_id, expires_at, statement_timestamp()
