-- $1 id, $2 owner id, $3 template id, $4 provider id, $5 reason, $6 granted by id or NULL, $7 granted by name, $8 expires at
-- One that is over is replaced, id and all, so that what was told of it is not taken for the new one. First column: are
-- owner and template there; the others are NULL where one is in force. The owner is locked, so that a removal of the user
-- is before this statement or behind it and takes the row along.
WITH owner AS MATERIALIZED (
  SELECT u.id, u.username FROM users u WHERE u.id = $2 AND NOT u.is_system FOR KEY SHARE
), subject AS MATERIALIZED (
  SELECT o.id AS owner_id, o.username, t.id AS template_id, t.name FROM owner o JOIN templates t ON t.id = $3
), granted AS (
  INSERT INTO exemptions AS e (id, owner_id, template_id, provider_id, reason, granted_by_id, granted_by_name, expires_at)
  SELECT $1, s.owner_id, s.template_id, $4, $5, $6, $7, $8 FROM subject s
  ON CONFLICT ON CONSTRAINT exemptions_owner_template_provider_key DO UPDATE
  SET id = excluded.id, reason = excluded.reason, granted_by_id = excluded.granted_by_id,
    granted_by_name = excluded.granted_by_name, expires_at = excluded.expires_at, created_at = excluded.created_at
  WHERE e.expires_at <= now()
  RETURNING e.*
)
SELECT EXISTS (SELECT FROM subject), g.id, g.owner_id, s.username, g.template_id, s.name, g.provider_id, g.reason,
  g.granted_by_id, g.granted_by_name, g.expires_at, g.created_at
FROM (SELECT) AS question
LEFT JOIN granted g ON true
LEFT JOIN subject s ON true
