-- no parameters
-- The key ids of all links, '' for clear ones, by one probe of the index links_key_id a key.
WITH RECURSIVE used (key_id) AS (
  (SELECT coalesce(l.key_id, '') FROM links l WHERE l.access_token IS NOT NULL ORDER BY coalesce(l.key_id, '') LIMIT 1)
  UNION ALL
  SELECT (SELECT coalesce(l.key_id, '') FROM links l
    WHERE l.access_token IS NOT NULL AND coalesce(l.key_id, '') > used.key_id
    ORDER BY coalesce(l.key_id, '') LIMIT 1)
  FROM used WHERE used.key_id IS NOT NULL
)
SELECT key_id FROM used WHERE key_id IS NOT NULL
