-- $1 template id, $2 provider ids, $3 now
-- The owners of the template's workspaces, counted by what is stored of them: one row a class. links is a word for each of
-- the providers that the owner has a link at: its place in $2, counted from 1, then a letter a fact: l linked, r has a refresh
-- token, e expired, v confirmed in this generation, j the provider has refused the refresh token, o a rotation was lost.
-- exempt is the same of exemptions in force: x. What the facts mean is the policy's to say. The words stand in the order
-- in which the index gives them; another order would make more classes and the same sums. Owners are met in the order of
-- their ids, so that neighbours are on the same pages of each index.
WITH owners AS (
  SELECT DISTINCT w.owner_id
  FROM template_versions v
  JOIN workspaces w ON w.template_version_id = v.id AND w.deleted_at IS NULL
  WHERE v.template_id = $1
  ORDER BY w.owner_id
)
SELECT u.status = 'suspended' AS suspended,
  (SELECT string_agg(array_position($2::text[], l.provider_id)
      || CASE WHEN l.refresh_token IS NULL THEN 'l' ELSE 'lr' END
      || CASE WHEN l.expires_at <= $3 THEN 'e' ELSE '' END
      || CASE WHEN l.last_valid_at IS NULL THEN '' ELSE 'v' END
      || CASE l.remembered_reason WHEN 'refresh_rejected' THEN 'j' WHEN 'rotation_lost' THEN 'o' ELSE '' END, ' ')
    FROM links l
    WHERE l.owner_id = o.owner_id AND l.provider_id = ANY ($2) AND l.access_token IS NOT NULL) AS links,
  (SELECT string_agg(array_position($2::text[], x.provider_id) || 'x', ' ')
    FROM exemptions x
    WHERE x.owner_id = o.owner_id AND x.template_id = $1 AND x.provider_id = ANY ($2) AND x.expires_at > $3) AS exempt,
  count(*)
FROM owners o
JOIN users u ON u.id = o.owner_id AND NOT u.is_system
GROUP BY suspended, links, exempt
