-- $1 hash of the user code, $2 what wrong codes are counted for (text[]), $3 how many of each are heard (bigint[]), $4 for how
-- long they count, in ms
-- A right code writes the counters' rows, too: whoever tries many codes at once is counted one after the other, and a
-- right one among them is heard only while the wrong ones before it were not too many. First column: for how many ms
-- nothing more is heard, or NULL.
WITH found AS MATERIALIZED (
  SELECT g.client_id, g.address, g.agent, g.created_at, g.expires_at
  FROM device_grants g
  WHERE g.user_code_hash = $1 AND g.status = 'pending' AND g.expires_at > statement_timestamp()
), wrong AS MATERIALIZED (
  SELECT CASE WHEN EXISTS (SELECT FROM found) THEN 0 ELSE 1 END AS count
), counted AS (
  INSERT INTO login_attempts AS a (key, wrong, until)
  SELECT k.key, w.count, statement_timestamp() + $4::float8 * interval '1 millisecond'
  FROM wrong w, unnest($2::text[]) AS k (key)
  ORDER BY k.key
  ON CONFLICT (key) DO UPDATE SET
    wrong = CASE WHEN a.until > statement_timestamp() THEN a.wrong ELSE 0 END + excluded.wrong,
    until = CASE WHEN a.until > statement_timestamp() THEN a.until ELSE excluded.until END
  RETURNING key, wrong, until
), stand AS MATERIALIZED (
  SELECT max(c.until) FILTER (WHERE c.wrong - w.count >= m.most) AS blocked_until
  FROM wrong w, counted c
  JOIN unnest($2::text[], $3::bigint[]) AS m (key, most) ON m.key = c.key
)
SELECT ceil(extract(epoch FROM s.blocked_until - statement_timestamp()) * 1000)::bigint, f.client_id, f.address, f.agent,
  f.created_at, f.expires_at
FROM stand s
LEFT JOIN found f ON s.blocked_until IS NULL
