-- no parameters
SELECT key_id, value, slot FROM vault_check ORDER BY slot
