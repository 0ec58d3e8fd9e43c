-- $1 hash, $2 session id
DELETE FROM oauth_states WHERE hash = $1 AND session_id = $2 AND expires_at > now()
RETURNING provider_id, key_id, redirect, verifier
