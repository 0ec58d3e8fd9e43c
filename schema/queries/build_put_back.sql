-- $1 build id, $2 lease id of the claim
-- Ends a claim that came to nothing, so that the next who asks need not wait for its end.
UPDATE builds SET lease_id = NULL, lease_until = NULL WHERE id = $1 AND lease_id = $2 AND status = 'pending'
