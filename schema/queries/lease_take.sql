-- $1 owner id, $2 provider id, $3 generation, $4 lease id, $5 lease in ms, $6 hash of our client, $7 cool-down in ms
-- Takes the right to spend the refresh token of exactly this generation, or says why not. The row is locked first, so that
-- the state told is the one that was judged, and the clock is read behind the lock. Whoever takes the lease has noted in
-- the same moment that an exchange is about to happen. Running it twice with one lease id takes it once. A lease that ran
-- out is taken over at once; when that one has run out too, the one more try was made, and the next waits for a cool-down.
-- A lease from before the server's start that ran out while it was away, or just after, counts for eight seconds from its
-- start on, less than an evaluation has: the holder may have a token that could not be saved (it tries each second,
-- REFRESH_SAVE_MS long), and nobody else is to spend the one before again. When a lease began follows from its end: all
-- processes give it the same time.
-- No row: no link.
WITH held AS MATERIALIZED (
  SELECT l.owner_id, l.provider_id, l.generation, l.refresh_token, l.lease_id, l.lease_until, l.unresolved,
    l.remembered_reason, l.cooldown_until, l.cooldown_reason, l.cooldown_client
  FROM links l
  WHERE l.owner_id = $1 AND l.provider_id = $2 AND l.access_token IS NOT NULL
  FOR NO KEY UPDATE
), timed AS MATERIALIZED (
  SELECT held.*, clock_timestamp() AS now_at,
    CASE WHEN held.unresolved >= 2 THEN held.lease_until + $7::float8 * interval '1 millisecond' END AS lost_until,
    CASE WHEN held.lease_until - $5::float8 * interval '1 millisecond' < s.started_at
        AND held.lease_until > s.started_at - interval '60 seconds'
      THEN greatest(held.lease_until, s.started_at + interval '8 seconds') ELSE held.lease_until END AS held_until
  FROM held, (SELECT pg_postmaster_start_time() AS started_at) s
), judged AS MATERIALIZED (
  SELECT t.*, CASE
    WHEN t.generation <> $3 OR t.refresh_token IS NULL THEN 'moved'
    WHEN t.lease_id = $4 THEN 'again'
    WHEN t.held_until > t.now_at THEN 'held'
    WHEN t.remembered_reason IS NOT NULL THEN 'remembered'
    WHEN t.lost_until > t.now_at THEN 'lost'
    WHEN t.cooldown_until > t.now_at AND (t.cooldown_client IS NULL OR t.cooldown_client = $6) THEN 'cooling'
    ELSE 'free' END AS state
  FROM timed t
), taken AS (
  UPDATE links l
  SET lease_id = $4, lease_until = j.now_at + $5::float8 * interval '1 millisecond', unresolved = l.unresolved + 1,
    cooldown_until = NULL, cooldown_reason = NULL, cooldown_client = NULL
  FROM judged j
  WHERE j.state = 'free' AND l.owner_id = j.owner_id AND l.provider_id = j.provider_id
)
SELECT CASE WHEN j.state IN ('free', 'again') THEN 'taken' WHEN j.state = 'lost' THEN 'cooling' ELSE j.state END,
  CASE WHEN j.state = 'again' THEN j.unresolved - 1 ELSE j.unresolved END,
  CASE j.state WHEN 'remembered' THEN j.remembered_reason WHEN 'cooling' THEN j.cooldown_reason
    WHEN 'lost' THEN 'provider_unavailable' END,
  ceil(extract(epoch FROM CASE j.state WHEN 'held' THEN j.held_until WHEN 'cooling' THEN j.cooldown_until
    WHEN 'lost' THEN j.lost_until END - j.now_at)
    * 1000)::bigint
FROM judged j
