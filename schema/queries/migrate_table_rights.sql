-- no parameters; only behind the last migration
-- The tables that this role may not read and write, as one text; NULL: none.
SELECT string_agg(t.name, ', ' ORDER BY t.name)
FROM unnest(ARRAY['users', 'api_tokens', 'templates', 'template_versions', 'links', 'workspaces', 'builds', 'decisions',
  'audit_log', 'browser_tickets', 'browser_sessions', 'oauth_states', 'sign_in_states', 'vault_check', 'exemptions',
  'provider_devices',
  'idempotency_keys', 'device_grants', 'token_families', 'login_attempts']) AS t (name)
WHERE NOT (has_table_privilege(t.name, 'SELECT') AND has_table_privilege(t.name, 'INSERT')
  AND has_table_privilege(t.name, 'UPDATE') AND has_table_privilege(t.name, 'DELETE'))
