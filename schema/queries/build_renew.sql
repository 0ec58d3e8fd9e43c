-- $1 build id, $2 provisioner id, $3 attempt or NULL, $4 lease in ms
-- No row: this provisioner does not hold the build, or not in this attempt. A lease that ran out is renewed as long as
-- nobody else has asked for the build.
UPDATE builds b
SET lease_until = clock_timestamp() + $4::float8 * interval '1 millisecond'
WHERE b.id = $1 AND b.provisioner_id = $2 AND b.status = 'running' AND b.attempt = coalesce($3::int, b.attempt)
RETURNING b.lease_until
