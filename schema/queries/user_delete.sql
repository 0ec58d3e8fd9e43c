-- $1 id
-- Links, tokens, tickets and sessions go by ON DELETE CASCADE; a workspace keeps its owner.
DELETE FROM users WHERE id = $1 AND NOT is_system RETURNING id
