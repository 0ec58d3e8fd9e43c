-- SPDX-License-Identifier: Apache-2.0
-- What refreshing a link's token needs beside the token itself. The lease is the right to spend the refresh token of this
-- generation, held by one process for a bounded time; it is also the journal: unresolved counts the leases of this
-- generation whose exchange has no known outcome, the one that is held included, so that an exchange that died with its
-- process is still known of. lease_until NULL: nobody holds it. After a save lease_id stays and says who wrote the
-- generation; it is NULL again after every other end. A cool-down keeps the token endpoint from being asked; cooldown_client
-- is the SHA-256 over our client's id and secrets at that time, so that a secret that was mended is tried at once.
ALTER TABLE links
  ADD COLUMN lease_id uuid,
  ADD COLUMN lease_until timestamptz,
  ADD COLUMN unresolved int NOT NULL DEFAULT 0,
  ADD COLUMN cooldown_until timestamptz,
  ADD COLUMN cooldown_reason text COLLATE "C",
  ADD COLUMN cooldown_client bytea,
  ADD COLUMN last_failure text,
  ADD COLUMN last_failure_at timestamptz,
  ADD CONSTRAINT links_lease_is_somebodys CHECK (lease_until IS NULL OR lease_id IS NOT NULL),
  ADD CONSTRAINT links_unresolved_counts CHECK (unresolved >= 0),
  ADD CONSTRAINT links_cooldown_whole CHECK ((cooldown_until IS NULL) = (cooldown_reason IS NULL)),
  ADD CONSTRAINT links_cooldown_reason_known CHECK (cooldown_reason IN ('provider_unavailable', 'provider_misconfigured')),
  ADD CONSTRAINT links_cooldown_client_size CHECK (octet_length(cooldown_client) = 32),
  ADD CONSTRAINT links_last_failure_bounded CHECK (char_length(last_failure) <= 400);
