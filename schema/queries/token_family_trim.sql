-- $1 user id, $2 how many stay
WITH gone AS (
  DELETE FROM token_families
  WHERE id IN (SELECT f.id FROM token_families f WHERE f.user_id = $1 ORDER BY f.created_at DESC, f.id DESC OFFSET $2)
  RETURNING 1
)
SELECT count(*) FROM gone
