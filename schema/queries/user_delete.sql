-- $1 id
-- Links, tokens, tickets and sessions go by ON DELETE CASCADE; a workspace keeps its owner
-- until it is deleted itself, and then goes with them.
WITH gone AS (
  DELETE FROM workspaces w USING users u
  WHERE u.id = $1 AND NOT u.is_system AND w.owner_id = u.id AND w.deleted_at IS NOT NULL
)
DELETE FROM users WHERE id = $1 AND NOT is_system RETURNING id
