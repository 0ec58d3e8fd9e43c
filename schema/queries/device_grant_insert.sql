-- $1 id, $2 hash of the device code, $3 hash of the user code, $4 client id, $5 address, $6 agent, $7 lifetime in s,
-- $8 interval in s, $9 how many may wait for an answer from one address, $10 and altogether
-- No row: too many wait already.
WITH live AS MATERIALIZED (
  SELECT count(*) AS everybody, count(*) FILTER (WHERE l.address = $5) AS here
  FROM (SELECT address FROM device_grants WHERE status = 'pending' AND expires_at > now() LIMIT $10) l
)
INSERT INTO device_grants (id, code_hash, user_code_hash, client_id, address, agent, expires_at, interval_s)
SELECT $1, $2, $3, $4, $5, $6, now() + $7::bigint * interval '1 second', $8::bigint
FROM live
WHERE live.everybody < $10 AND live.here < $9
RETURNING expires_at
