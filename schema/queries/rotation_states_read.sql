-- $1 key id or '', $2 after this hash in hexadecimal, $3 and this provider id, $4 limit
-- A verifier is bound to the SHA-256 of its row's key (store/browser.c).
SELECT encode(s.hash, 'hex'), s.provider_id, encode(sha256(s.hash), 'hex'), 0::bigint, s.verifier
FROM oauth_states s
WHERE coalesce(s.key_id, '') = $1 AND (s.hash, s.provider_id) > (decode($2, 'hex'), $3) AND s.verifier IS NOT NULL
ORDER BY s.hash, s.provider_id
LIMIT $4
