-- arrays of one element a link: $1 owner ids, $2 provider ids, $3 generations, $4 to $6 what was read of access token,
-- refresh token and extras, $7 to $9 the same values sealed anew; then $10 the key id that was read or '', $11 the new one
-- A row is written only where it still is what was read, and its generation stays: the tokens are the same. Rows that
-- somebody else holds are passed over, so this statement never waits while it holds rows itself: no deadlock with a
-- create, which locks several links of one owner.
WITH given AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[],
    $8::bytea[], $9::bytea[])
    AS g (owner_id, provider_id, generation, old_access, old_refresh, old_extras, new_access, new_refresh, new_extras)
), held AS MATERIALIZED (
  SELECT l.owner_id, l.provider_id, g.new_access, g.new_refresh, g.new_extras
  FROM given g
  JOIN links l ON l.owner_id = g.owner_id::uuid AND l.provider_id = g.provider_id
  WHERE l.generation = g.generation AND coalesce(l.key_id, '') = $10::text AND l.access_token = g.old_access
    AND l.refresh_token IS NOT DISTINCT FROM g.old_refresh AND l.extras IS NOT DISTINCT FROM g.old_extras
  FOR NO KEY UPDATE OF l SKIP LOCKED
), written AS (
  UPDATE links l
  SET access_token = held.new_access, refresh_token = held.new_refresh, extras = held.new_extras, key_id = $11::text
  FROM held
  WHERE l.owner_id = held.owner_id AND l.provider_id = held.provider_id
  RETURNING 1
)
SELECT count(*) FROM written
