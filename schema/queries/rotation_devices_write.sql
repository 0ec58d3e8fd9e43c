-- as rotation_links_write.sql: $1 hashes in hexadecimal, $4 device codes that were read, $7 device codes sealed anew, $10 the key
-- id that was read or '', $11 the new one; the other columns are a link's
-- A code that was spent meanwhile is gone and stays so.
WITH given AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[],
    $8::bytea[], $9::bytea[])
    AS g (hash, provider_id, generation, old_code, old_2, old_3, new_code, new_2, new_3)
), held AS MATERIALIZED (
  SELECT s.hash, g.new_code
  FROM given g
  JOIN provider_devices s ON s.hash = decode(g.hash, 'hex')
  WHERE coalesce(s.key_id, '') = $10::text AND s.device_code = g.old_code
  FOR NO KEY UPDATE OF s SKIP LOCKED
), written AS (
  UPDATE provider_devices s
  SET device_code = held.new_code, key_id = $11::text
  FROM held
  WHERE s.hash = held.hash
  RETURNING 1
)
SELECT count(*) FROM written
