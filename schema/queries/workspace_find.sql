-- $1 id
SELECT w.id, w.name, w.owner_id, u.username, v.template_id, w.template_version_id, w.decision_id, w.parameters,
  w.warnings, w.created_at, b.id, b.number, b.transition, b.reason, b.status, b.created_at,
  w.deleting_number IS NOT NULL, w.claimed_at IS NOT NULL
FROM workspaces w
JOIN users u ON u.id = w.owner_id
JOIN template_versions v ON v.id = w.template_version_id
CROSS JOIN LATERAL (SELECT * FROM builds WHERE workspace_id = w.id ORDER BY number DESC LIMIT 1) b
WHERE w.id = $1 AND w.deleted_at IS NULL
