-- $1 build id, $2 provisioner id, $3 attempt or NULL
-- Gives a build back before its lease ends. The provisioner's id stays as the mark of who gave it back, so that running
-- this again after a lost answer is no conflict. No row: this provisioner does not hold it.
UPDATE builds b
SET status = 'pending', lease_id = NULL, lease_until = NULL
WHERE b.id = $1 AND b.provisioner_id = $2 AND b.attempt = coalesce($3::int, b.attempt)
  AND (b.status = 'running' OR (b.status = 'pending' AND b.lease_id IS NULL))
RETURNING b.id
