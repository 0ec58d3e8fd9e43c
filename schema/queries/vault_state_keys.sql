-- no parameters
-- The key ids of all authorization states, '' for clear ones. They live for minutes, so there are never many.
SELECT DISTINCT coalesce(key_id, '') FROM oauth_states WHERE verifier IS NOT NULL ORDER BY 1
