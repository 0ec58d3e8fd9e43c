-- no parameters; only where schema_migrations exists
SELECT coalesce(max(version), 0) FROM schema_migrations
