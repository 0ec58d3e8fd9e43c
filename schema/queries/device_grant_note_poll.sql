-- $1 id, $2 whether the poll came too early, $3 what the interval grows by then, in s, $4 its most, in s
-- An early poll does not move the time that the next one is measured from: a client that mends its ways is not locked out.
UPDATE device_grants
SET polled_at = CASE WHEN $2 THEN polled_at ELSE statement_timestamp() END,
  interval_s = CASE WHEN $2 THEN least(interval_s + $3::bigint, $4::bigint) ELSE interval_s END
WHERE id = $1 AND status = 'pending'
