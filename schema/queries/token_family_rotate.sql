-- $1 hash of the handle, $2 hash of the secret that came with it, $3 client id, $4 hash of the next secret, $5 the new pair,
-- sealed, $6 hash of the access token, $7 its id, $8 its life in ms, $9 life of an unused refresh token in ms
-- Changes the newest refresh token for the next one, in one step with the access token; of many at once one does. The
-- user's row is locked first, as at a redemption.
WITH owner AS MATERIALIZED (
  SELECT f.id
  FROM token_families f
  JOIN users u ON u.id = f.user_id
  WHERE f.handle_hash = $1 AND f.head_hash = $2 AND u.status = 'active'
  FOR SHARE OF u
), rotated AS (
  UPDATE token_families f
  SET previous_hash = f.head_hash, head_hash = $4, sealed_pair = $5, rotated_at = statement_timestamp(),
    access_expires_at = least(statement_timestamp() + $8::float8 * interval '1 millisecond', f.expires_at),
    idle_until = least(statement_timestamp() + $9::float8 * interval '1 millisecond', f.expires_at)
  FROM owner o
  WHERE f.id = o.id AND f.head_hash = $2 AND f.client_id = $3 AND f.idle_until > statement_timestamp()
    AND f.expires_at > statement_timestamp()
  RETURNING f.id, f.user_id, f.client_id, f.access_expires_at
)
INSERT INTO api_tokens (hash, id, user_id, name, expires_at, family_id)
SELECT $6, $7, r.user_id, r.client_id, r.access_expires_at, r.id
FROM rotated r
RETURNING user_id, expires_at, statement_timestamp()
