-- $1 build id, $2 lease id of the claim, $3 error (JSON)
-- The gate stops a build that it has claimed. No row: the claim ran out, and somebody else has it or ended it.
UPDATE builds b
SET status = 'failed', error = $3, completed_at = clock_timestamp()
WHERE b.id = $1 AND b.lease_id = $2 AND b.status IN ('pending', 'failed')
RETURNING b.completed_at
