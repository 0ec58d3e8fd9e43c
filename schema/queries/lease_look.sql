-- $1 owner id, $2 provider id
-- How the lease of a link stands, without opening a token. No row: no link. Milliseconds left are negative once over.
SELECT l.generation, l.lease_id, ceil(extract(epoch FROM l.lease_until - clock_timestamp()) * 1000)::bigint, l.unresolved,
  l.remembered_reason, l.cooldown_reason, ceil(extract(epoch FROM l.cooldown_until - clock_timestamp()) * 1000)::bigint,
  l.last_failure, l.last_failure_at
FROM links l
WHERE l.owner_id = $1 AND l.provider_id = $2 AND l.access_token IS NOT NULL
