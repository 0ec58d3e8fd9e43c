-- $1 session id, $2 provider id
UPDATE browser_sessions SET linked_provider_id = $2 WHERE id = $1
