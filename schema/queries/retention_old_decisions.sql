-- $1 how long decisions are kept, in ms
-- Ids are ordered by time, so the oldest rows lie at the index's start. An id is made a little before its row.
WITH relaxed AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true)
), kept AS MATERIALIZED (
  SELECT now() - $1::bigint * interval '1 millisecond' AS since FROM relaxed
), gone AS (
  DELETE FROM decisions
  WHERE id = ANY (ARRAY (
    SELECT d.id
    FROM decisions d
    WHERE d.created_at < (SELECT since FROM kept) AND d.id < (
      SELECT (lpad(to_hex(greatest(0, floor(extract(epoch FROM since) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid
      FROM kept)
    ORDER BY d.id
    LIMIT 1000
    FOR UPDATE SKIP LOCKED))
  RETURNING 1
)
SELECT count(*) FROM gone
