-- as rotation_links_write.sql: $1 the key id that was read or '', $2 the new one; arrays of one element a state: $3 hashes in
-- hexadecimal, $4 provider ids, $5 zeros, $6 verifiers that were read, $7 the same sealed anew
-- A state that was taken meanwhile is gone and stays so.
WITH held AS MATERIALIZED (
  SELECT s.hash, g.sealed
  FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::bytea[])
    AS g (hash, provider_id, generation, was, sealed)
  JOIN oauth_states s ON s.hash = decode(g.hash, 'hex') AND s.provider_id = g.provider_id
  WHERE coalesce(s.key_id, '') = $1::text AND s.verifier = g.was
  FOR NO KEY UPDATE OF s SKIP LOCKED
), written AS (
  UPDATE oauth_states s SET verifier = held.sealed, key_id = $2::text FROM held WHERE s.hash = held.hash RETURNING 1
)
SELECT count(*) FROM written
