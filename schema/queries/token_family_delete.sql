-- $1 id
-- Its access tokens go by ON DELETE CASCADE.
DELETE FROM token_families WHERE id = $1
