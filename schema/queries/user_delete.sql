-- $1 id, $2 the roles that the caller's right was judged by
-- Links, tokens, tickets and sessions go by ON DELETE CASCADE; a workspace keeps its owner, unless its deletion is done.
WITH gone AS (
  DELETE FROM workspaces w USING users u WHERE u.id = $1 AND u.roles = $2 AND w.owner_id = u.id AND w.deleted_at IS NOT NULL
)
DELETE FROM users WHERE id = $1 AND roles = $2 AND NOT is_system RETURNING id
