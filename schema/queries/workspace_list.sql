-- $1 owner id, $2 after id (the nil UUID: from the start), $3 limit
SELECT w.id, w.name, w.owner_id, u.username, v.template_id, w.template_version_id, w.decision_id, w.parameters,
  w.warnings, w.created_at, b.id, b.number, b.transition, b.reason, b.status, b.created_at
FROM workspaces w
JOIN users u ON u.id = w.owner_id
JOIN template_versions v ON v.id = w.template_version_id
CROSS JOIN LATERAL (SELECT * FROM builds WHERE workspace_id = w.id ORDER BY number DESC LIMIT 1) b
WHERE w.owner_id = $1 AND w.id > $2
ORDER BY w.id
LIMIT $3
