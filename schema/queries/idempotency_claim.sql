-- $1 user id, $2 hash of the key, $3 hash of method, path and body, $4 holder, $5 hold in ms, $6 how long an answer is kept, in
-- ms
-- Takes the key for one run, or says what stands in its way. A key whose holder let its time run out, or was refused, is
-- there for the same request again; one that was kept long enough is as good as new. Else the row is written as it is, so
-- that what is told was read behind a lock and no winner is missed who came in between. Running it twice with one holder
-- takes the key once. Nobody waits for the disk: whatever depends on the key looks for it again (CTE `once` of
-- workspace_insert), and finds none where a crash took this row.
WITH relaxed AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true)
)
INSERT INTO idempotency_keys AS k (user_id, key_hash, body_hash, holder, held_until, expires_at)
SELECT $1, $2, $3, $4, statement_timestamp() + $5::float8 * interval '1 millisecond',
  statement_timestamp() + $6::float8 * interval '1 millisecond'
FROM relaxed
ON CONFLICT (user_id, key_hash) DO UPDATE
SET (body_hash, holder, held_until, status, location, body, expires_at) = (
  SELECT excluded.body_hash, excluded.holder, excluded.held_until, NULL::int, NULL::text, NULL::text, excluded.expires_at
  WHERE k.expires_at <= statement_timestamp() OR (k.held_until <= statement_timestamp() AND k.body_hash = excluded.body_hash)
  UNION ALL
  SELECT k.body_hash, k.holder, k.held_until, k.status, k.location, k.body, k.expires_at
  WHERE NOT (k.expires_at <= statement_timestamp()
    OR (coalesce(k.held_until <= statement_timestamp(), false) AND k.body_hash = excluded.body_hash)))
RETURNING CASE
    WHEN k.holder = $4 THEN 'claimed'
    WHEN k.body_hash <> $3 THEN 'other'
    WHEN k.held_until IS NULL THEN 'answered'
    ELSE 'held' END,
  statement_timestamp(), ceil(extract(epoch FROM k.held_until - statement_timestamp()) * 1000)::bigint,
  k.status, k.location, k.body
