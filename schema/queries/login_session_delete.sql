-- $1 id
DELETE FROM browser_sessions WHERE id = $1
