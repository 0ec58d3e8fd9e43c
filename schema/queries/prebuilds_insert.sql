-- $1 version id, arrays of one element a workspace: $2 workspace ids, $3 names, $4 build ids; $5 initiator id
-- Workspaces of the user `prebuilds` with their first builds. Run again after a lost answer it adds what is missing, which is
-- all or nothing. The row says when they were created, or NULL where the version is gone or archived.
WITH workspace AS (
  INSERT INTO workspaces (id, owner_id, name, template_version_id)
  SELECT p.id::uuid, '00000000-0000-7000-8000-000000000001', p.name, v.id
  FROM template_versions v, unnest($2::text[], $3::text[]) AS p (id, name)
  WHERE v.id = $1 AND NOT v.archived
  ON CONFLICT (id) DO NOTHING
  RETURNING id, created_at
), build AS (
  INSERT INTO builds (id, workspace_id, number, transition, reason, moment, initiator_id)
  SELECT p.build_id::uuid, w.id, 1, 'start', 'prebuild', '', $5
  FROM workspace w JOIN unnest($2::text[], $4::text[]) AS p (id, build_id) ON p.id::uuid = w.id
)
SELECT coalesce((SELECT max(created_at) FROM workspace),
  (SELECT created_at FROM workspaces WHERE id = ($2::text[])[1]::uuid))
