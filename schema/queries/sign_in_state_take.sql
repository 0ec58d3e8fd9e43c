-- $1 hash, $2 hash of the browser's cookie
DELETE FROM sign_in_states WHERE hash = $1 AND browser_hash = $2 AND expires_at > now()
RETURNING redirect
