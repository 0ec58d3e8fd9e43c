-- no parameters
-- Waits for other starting replicas; the lock ends with the transaction, so it works through pgbouncer too. A migration
-- may take longer than a request's statement may.
SELECT set_config('statement_timeout', '0', true), pg_advisory_xact_lock(hashtextextended('gatehouse.migrate', 0))
