-- $1 the key id that was read or '', $2 the new one; arrays of one element a link: $3 owner ids, $4 provider ids, $5
-- generations, then what was read and the same sealed anew: $6 and $7 access tokens, $8 and $9 refresh tokens, $10 and $11 extras
-- A row is written only where it still is what was read, and its generation stays: the tokens are the same. Rows that
-- somebody else holds are passed over, so this statement never waits while it holds rows itself: no deadlock with a
-- create, which locks several links of one owner.
WITH held AS MATERIALIZED (
  SELECT l.owner_id, l.provider_id, g.new_access, g.new_refresh, g.new_extras
  FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[],
    $11::bytea[])
    AS g (owner_id, provider_id, generation, old_access, new_access, old_refresh, new_refresh, old_extras, new_extras)
  JOIN links l ON l.owner_id = g.owner_id::uuid AND l.provider_id = g.provider_id
  WHERE l.generation = g.generation AND coalesce(l.key_id, '') = $1::text AND l.access_token = g.old_access
    AND l.refresh_token IS NOT DISTINCT FROM g.old_refresh AND l.extras IS NOT DISTINCT FROM g.old_extras
  FOR NO KEY UPDATE OF l SKIP LOCKED
), written AS (
  UPDATE links l
  SET access_token = held.new_access, refresh_token = held.new_refresh, extras = held.new_extras, key_id = $2::text
  FROM held
  WHERE l.owner_id = held.owner_id AND l.provider_id = held.provider_id
  RETURNING 1
)
SELECT count(*) FROM written
