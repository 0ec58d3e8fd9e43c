-- as rotation_links_write.sql: $1 the key id that was read or '', $2 the new one; arrays of one element a code: $3 hashes in
-- hexadecimal, $4 provider ids, $5 zeros, $6 device codes that were read, $7 the same sealed anew
-- A code that was spent meanwhile is gone and stays so.
WITH held AS MATERIALIZED (
  SELECT s.hash, g.sealed
  FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::bytea[])
    AS g (hash, provider_id, generation, was, sealed)
  JOIN provider_devices s ON s.hash = decode(g.hash, 'hex') AND s.provider_id = g.provider_id
  WHERE coalesce(s.key_id, '') = $1::text AND s.device_code = g.was
  FOR NO KEY UPDATE OF s SKIP LOCKED
), written AS (
  UPDATE provider_devices s SET device_code = held.sealed, key_id = $2::text FROM held WHERE s.hash = held.hash RETURNING 1
)
SELECT count(*) FROM written
