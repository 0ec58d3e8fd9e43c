-- as rotation_links_write.sql: $1 hashes in hexadecimal, $4 verifiers that were read, $7 verifiers sealed anew, $10 the key
-- id that was read or '', $11 the new one; the other columns are a link's
-- A state that was taken meanwhile is gone and stays so.
WITH given AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[],
    $8::bytea[], $9::bytea[])
    AS g (hash, provider_id, generation, old_verifier, old_2, old_3, new_verifier, new_2, new_3)
), held AS MATERIALIZED (
  SELECT s.hash, g.new_verifier
  FROM given g
  JOIN oauth_states s ON s.hash = decode(g.hash, 'hex')
  WHERE coalesce(s.key_id, '') = $10::text AND s.verifier = g.old_verifier
  FOR NO KEY UPDATE OF s SKIP LOCKED
), written AS (
  UPDATE oauth_states s
  SET verifier = held.new_verifier, key_id = $11::text
  FROM held
  WHERE s.hash = held.hash
  RETURNING 1
)
SELECT count(*) FROM written
