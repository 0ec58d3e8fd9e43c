-- $1 hash, $2 client id
-- No row: no access token of a login. Another client's is told and stays.
WITH found AS MATERIALIZED (
  SELECT t.hash, f.client_id
  FROM api_tokens t
  JOIN token_families f ON f.id = t.family_id
  WHERE t.hash = $1
), gone AS (
  DELETE FROM api_tokens t USING found f WHERE t.hash = f.hash AND f.client_id = $2
)
SELECT f.client_id = $2 FROM found f
