-- $1 hash of the handle, $2 hash of the secret that came with it
SELECT f.id, f.user_id, f.client_id, f.head_hash = $2, coalesce(f.previous_hash = $2, false), f.rotated_at, f.idle_until,
  f.expires_at, u.status = 'active', f.sealed_pair, f.access_expires_at, statement_timestamp()
FROM token_families f
JOIN users u ON u.id = f.user_id
WHERE f.handle_hash = $1
