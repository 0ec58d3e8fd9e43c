-- $1 hash, $2 user id, $3 provider id, $4 poll id, $5 hold in ms
-- Takes the right to ask the provider about this code, or says why not. The row is locked first, so that of many who come
-- at once one gets it, and the clock is read behind the lock. Whoever gets it has moved next_poll_at on in the same moment.
-- What was connected by it stays connected for who asks again, until the link is removed. No row: no such code of this user.
WITH held AS MATERIALIZED (
  SELECT d.hash, d.user_id, d.provider_id, d.device_code, d.key_id, d.interval_s, d.next_poll_at, d.expires_at, d.poll_id,
    d.poll_until, d.outcome
  FROM provider_devices d
  WHERE d.hash = $1 AND d.user_id = $2 AND d.provider_id = $3
  FOR NO KEY UPDATE
), timed AS MATERIALIZED (
  SELECT held.*, clock_timestamp() AS now_at FROM held
), judged AS MATERIALIZED (
  SELECT t.*, CASE
    WHEN EXISTS (SELECT FROM users u WHERE u.id = t.user_id AND u.status = 'suspended') THEN 'suspended'
    WHEN t.outcome = 'granted' AND EXISTS (SELECT FROM links l WHERE l.owner_id = t.user_id
      AND l.provider_id = t.provider_id AND l.access_token IS NOT NULL) THEN 'linked'
    WHEN t.outcome IS NOT NULL THEN 'over'
    WHEN t.poll_id = $4 THEN 'taken'
    WHEN t.next_poll_at > t.now_at THEN 'early'
    WHEN t.poll_until > t.now_at THEN 'held'
    WHEN t.expires_at <= t.now_at THEN 'expired'
    ELSE 'free' END AS state
  FROM timed t
), taken AS (
  UPDATE provider_devices d
  SET poll_id = $4, poll_until = j.now_at + $5::float8 * interval '1 millisecond',
    next_poll_at = j.now_at + j.interval_s * interval '1 second'
  FROM judged j
  WHERE j.state = 'free' AND d.hash = j.hash
)
SELECT CASE WHEN j.state = 'free' THEN 'taken' WHEN j.state = 'early' AND j.expires_at <= j.now_at THEN 'expired'
    ELSE j.state END,
  j.outcome, j.interval_s, ceil(extract(epoch FROM greatest(j.next_poll_at - j.now_at, interval '0')) * 1000)::bigint,
  j.key_id, j.device_code
FROM judged j
