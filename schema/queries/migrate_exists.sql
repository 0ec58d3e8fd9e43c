-- no parameters
-- Reads the catalogue's table: to_regclass() answers from a cache that may not know yet what another replica committed
-- while this one waited for the lock.
SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'schema_migrations' AND pg_table_is_visible(oid))
