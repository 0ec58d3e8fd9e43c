-- no parameters
-- How many links and authorization states each key seals, '' for clear ones. A code of a provider's device flow counts as
-- the authorization state that it is.
SELECT used.key_id, sum(used.links)::bigint, sum(used.states)::bigint
FROM (
  SELECT coalesce(l.key_id, '') AS key_id, count(*) AS links, 0 AS states FROM links l WHERE l.access_token IS NOT NULL
  GROUP BY 1
  UNION ALL
  SELECT coalesce(s.key_id, ''), 0, count(*) FROM oauth_states s WHERE s.verifier IS NOT NULL GROUP BY 1
  UNION ALL
  SELECT coalesce(d.key_id, ''), 0, count(*) FROM provider_devices d WHERE d.device_code IS NOT NULL GROUP BY 1
) AS used
GROUP BY 1
ORDER BY 1
