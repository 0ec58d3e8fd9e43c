-- $1 key id, $2 sealed check value, $3 the slot behind the last one
-- Of several that read the same rows before, one takes the slot; the others insert nothing and read again.
INSERT INTO vault_check (key_id, value, slot) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
