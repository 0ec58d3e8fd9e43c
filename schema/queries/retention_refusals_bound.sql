-- $1 how many decisions that are not allowed are kept
-- The newest one that is too many; no row where none is. Each outcome comes in the index's order, and they are merged.
SELECT r.id
FROM (
  (SELECT d.id FROM decisions d WHERE d.outcome = 'refused' ORDER BY d.id DESC)
  UNION ALL
  (SELECT d.id FROM decisions d WHERE d.outcome = 'unverifiable' ORDER BY d.id DESC)) r
ORDER BY r.id DESC
OFFSET $1
LIMIT 1
