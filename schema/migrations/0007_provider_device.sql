-- SPDX-License-Identifier: Apache-2.0
-- Codes of providers' device flow (RFC 8628 as its client): one row for each that a user asked for, found by the hash of the
-- handle that the user got instead of the provider's code. The code is sealed and goes as soon as it is spent.
--
-- next_poll_at: before it the provider is not asked. poll_id and poll_until: somebody is asking the provider, until then by
-- the database's clock. outcome: how it ended: 'granted', or the OAuth error word; NULL: it has not.
CREATE TABLE provider_devices (
  hash bytea PRIMARY KEY,
  user_id uuid NOT NULL,
  provider_id text COLLATE "C" NOT NULL,
  device_code bytea,
  key_id text COLLATE "C",
  interval_s int NOT NULL,
  next_poll_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  poll_id uuid,
  poll_until timestamptz,
  outcome text COLLATE "C",
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT provider_devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT provider_devices_hash_size CHECK (octet_length(hash) = 32),
  CONSTRAINT provider_devices_provider_id_bounded CHECK (octet_length(provider_id) BETWEEN 1 AND 64),
  CONSTRAINT provider_devices_interval_bounded CHECK (interval_s BETWEEN 1 AND 3600),
  CONSTRAINT provider_devices_outcome_bounded CHECK (octet_length(outcome) BETWEEN 1 AND 64),
  CONSTRAINT provider_devices_open_has_code CHECK ((outcome IS NULL) = (device_code IS NOT NULL)),
  CONSTRAINT provider_devices_poll_is_whole CHECK ((poll_id IS NULL) = (poll_until IS NULL))
);
CREATE INDEX provider_devices_user_id ON provider_devices (user_id, provider_id);
CREATE INDEX provider_devices_expires_at ON provider_devices (expires_at);
