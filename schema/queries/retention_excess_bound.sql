-- $1 how many decisions that made nothing are kept
-- The newest one that is too many; no row where none is.
SELECT d.id FROM decisions d WHERE d.made_nothing ORDER BY d.id DESC OFFSET $1 LIMIT 1
