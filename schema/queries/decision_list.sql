-- $1 owner id or NULL, $2 owner name or NULL, $3 outcome or NULL, $4 reason or NULL, $5 no earlier than this time or NULL,
-- $6 no id below this one, $7 only ids below this one, $8 limit
-- Newest first. One branch runs, for the filter that narrows most, along an index that is in the order of the answer; the
-- conditions that name parameters alone turn the others off before they touch anything. Rows of an owner whom nobody had
-- seen yet have a name only. Lists of reasons that occur are few: they are found by leaping from one to the next along
-- the index, and each that holds the reason asked for gives its newest rows. Rows are compared and ordered as wholes, which
-- no index serves but the one that is meant.
WITH RECURSIVE occurring AS (
  (SELECT d.reasons, d.outcome
    FROM decisions d
    WHERE $4::text IS NOT NULL AND $1::uuid IS NULL AND $2::text IS NULL AND d.reasons IS NOT NULL
    ORDER BY d.reasons, d.outcome
    LIMIT 1)
  UNION ALL
  SELECT n.reasons, n.outcome
  FROM occurring o
  CROSS JOIN LATERAL (
    SELECT d.reasons, d.outcome
    FROM decisions d
    WHERE d.reasons IS NOT NULL AND (d.reasons, d.outcome) > (o.reasons, o.outcome)
    ORDER BY d.reasons, d.outcome
    LIMIT 1) n
), candidate AS (
  (SELECT d.*
    FROM decisions d
    WHERE $1 IS NULL AND $2 IS NULL AND $3::text IS NULL AND $4 IS NULL
      AND d.id >= $6 AND d.id < $7 AND d.created_at >= coalesce($5::timestamptz, '-infinity')
    ORDER BY d.id DESC
    LIMIT $8)
  UNION ALL
  (SELECT d.*
    FROM decisions d
    WHERE $1 IS NULL AND $2 IS NULL AND $3 IS NOT NULL AND $4 IS NULL
      AND (d.outcome, d.id) >= ($3, $6) AND (d.outcome, d.id) < ($3, $7)
      AND d.created_at >= coalesce($5, '-infinity')
    ORDER BY d.outcome DESC, d.id DESC
    LIMIT $8)
  UNION ALL
  SELECT l.*
  FROM occurring o
  CROSS JOIN LATERAL (
    SELECT d.*
    FROM decisions d
    WHERE d.reasons IS NOT NULL
      AND (d.reasons, d.outcome, d.id) >= (o.reasons, o.outcome, $6)
      AND (d.reasons, d.outcome, d.id) < (o.reasons, o.outcome, $7)
      AND d.created_at >= coalesce($5, '-infinity')
    ORDER BY d.reasons DESC, d.outcome DESC, d.id DESC
    LIMIT $8) l
  WHERE $4 = ANY (o.reasons) AND ($3 IS NULL OR o.outcome = $3)
  UNION ALL
  (SELECT d.*
    FROM decisions d
    WHERE ($1 IS NOT NULL OR $2 IS NOT NULL)
      AND d.owner_id = coalesce($1, (SELECT u.id FROM users u WHERE u.username = $2))
      AND d.id >= $6 AND d.id < $7 AND d.created_at >= coalesce($5, '-infinity')
      AND ($3 IS NULL OR d.outcome = $3) AND ($4 IS NULL OR $4 = ANY (d.reasons))
    ORDER BY d.id DESC
    LIMIT $8)
  UNION ALL
  (SELECT d.*
    FROM decisions d
    WHERE $2 IS NOT NULL AND d.owner_name = $2 AND d.owner_id IS NULL
      AND d.id >= $6 AND d.id < $7 AND d.created_at >= coalesce($5, '-infinity')
      AND ($3 IS NULL OR d.outcome = $3) AND ($4 IS NULL OR $4 = ANY (d.reasons))
    ORDER BY d.id DESC
    LIMIT $8)
)
SELECT d.id, d.request_id, d.surface, d.moment, d.initiator_id,
  (SELECT i.username FROM users i WHERE i.id = d.initiator_id), d.on_behalf_of, d.owner_id,
  coalesce(d.owner_name, (SELECT o.username FROM users o WHERE o.id = d.owner_id)), d.template_version_id, d.outcome,
  d.strict_outcome, array_to_json(coalesce(d.reasons, '{}')), d.findings, d.duration_ms, d.created_at
FROM (SELECT * FROM candidate ORDER BY id DESC LIMIT $8) d
ORDER BY d.id DESC
