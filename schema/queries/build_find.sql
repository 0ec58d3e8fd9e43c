-- $1 id
SELECT b.id, b.workspace_id, b.number, b.transition, b.reason, b.status, b.created_at, b.moment, b.initiator_id, b.decision_id,
  b.warnings, b.error, b.attempt, b.provisioner_id, b.started_at, b.completed_at, w.owner_id, u.username
FROM builds b
JOIN workspaces w ON w.id = b.workspace_id
JOIN users u ON u.id = w.owner_id
WHERE b.id = $1
