-- $1 owner id, $2 after id (the nil UUID: from the start), $3 limit, $4 bytes of parameters that end a page early
-- Looks one workspace further than the page goes, so that the last column can say whether there are more behind the row.
WITH ahead AS MATERIALIZED (
  SELECT id, octet_length(parameters::text) AS bytes
  FROM workspaces
  WHERE owner_id = $1 AND deleted_at IS NULL AND id > $2
  ORDER BY id
  LIMIT $3::bigint + 1
), page AS (
  SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS count,
    sum(bytes) OVER (ORDER BY id) - bytes AS bytes_before
  FROM ahead
)
SELECT w.id, w.name, w.owner_id, u.username, v.template_id, w.template_version_id, w.decision_id, w.parameters,
  w.warnings, w.created_at, b.id, b.number, b.transition, b.reason, b.status, b.created_at, w.deleting_number IS NOT NULL, w.claimed_at IS NOT NULL,
  p.count > p.place
FROM page p
JOIN workspaces w ON w.id = p.id
JOIN users u ON u.id = w.owner_id
JOIN template_versions v ON v.id = w.template_version_id
CROSS JOIN LATERAL (SELECT * FROM builds WHERE workspace_id = w.id ORDER BY number DESC LIMIT 1) b
WHERE p.place <= $3::bigint AND p.bytes_before <= $4::bigint
ORDER BY w.id
