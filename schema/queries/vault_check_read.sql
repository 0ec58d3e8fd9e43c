-- no parameters
SELECT key_id, value FROM vault_check ORDER BY slot
