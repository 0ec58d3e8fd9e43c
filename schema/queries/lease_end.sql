-- $1 owner id, $2 provider id, $3 generation, $4 lease id, $5 whether every exchange of the lease has a known outcome,
-- $6 reason to remember or NULL, $7 reason of a cool-down or NULL, $8 cool-down in ms, $9 hash of our client for a cool-down
-- that another client need not wait for, or NULL, $10 what failed
UPDATE links l
SET lease_id = NULL, lease_until = NULL, unresolved = CASE WHEN $5::boolean THEN greatest(l.unresolved - 1, 0) ELSE l.unresolved END,
  remembered_reason = $6::text, remembered_detail = CASE WHEN $6::text IS NOT NULL THEN left($10::text, 400) END,
  cooldown_until = CASE WHEN $7::text IS NOT NULL THEN clock_timestamp() + $8::float8 * interval '1 millisecond' END, cooldown_reason = $7::text,
  cooldown_client = $9::bytea, last_failure = left($10::text, 400), last_failure_at = clock_timestamp()
WHERE l.owner_id = $1 AND l.provider_id = $2 AND l.generation = $3 AND l.lease_id = $4 AND l.access_token IS NOT NULL
RETURNING l.unresolved
