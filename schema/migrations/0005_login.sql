-- SPDX-License-Identifier: Apache-2.0
-- The login server of the command line (RFC 8628): device codes, families of rotating tokens, and the counters of wrong
-- user codes.

-- A device code from its request to its redemption. Both codes are stored as hashes. status moves once from pending to
-- approved or denied, and once from approved to consumed (policy/grant.c). user_id: who answered. polled_at: the last poll
-- that came in time. sealed_pair: the tokens it was redeemed for, under a key that only the device code gives, for a
-- client that lost the answer.
CREATE TABLE device_grants (
  id uuid PRIMARY KEY,
  code_hash bytea NOT NULL,
  user_code_hash bytea NOT NULL,
  client_id text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL DEFAULT 'pending',
  address text NOT NULL DEFAULT '',
  agent text NOT NULL DEFAULT '',
  interval_s int NOT NULL,
  polled_at timestamptz,
  user_id uuid,
  decided_at timestamptz,
  redeemed_at timestamptz,
  sealed_pair bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  CONSTRAINT device_grants_code_hash_key UNIQUE (code_hash),
  CONSTRAINT device_grants_user_code_hash_key UNIQUE (user_code_hash),
  CONSTRAINT device_grants_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT device_grants_hash_sizes CHECK (octet_length(code_hash) = 32 AND octet_length(user_code_hash) = 32),
  CONSTRAINT device_grants_status_known CHECK (status IN ('pending', 'approved', 'denied', 'consumed')),
  CONSTRAINT device_grants_answered_by_somebody CHECK ((status = 'pending') = (user_id IS NULL)),
  CONSTRAINT device_grants_consumed_is_timed CHECK ((status = 'consumed') = (redeemed_at IS NOT NULL))
);
CREATE INDEX device_grants_live ON device_grants (expires_at) WHERE status = 'pending';
CREATE INDEX device_grants_expires_at ON device_grants (expires_at);
CREATE INDEX device_grants_user_id ON device_grants (user_id);

-- What one login gave: a refresh token that is another after each use, and access tokens, which are rows of api_tokens. A
-- refresh token has two parts: a handle, the same through all of the family, and a secret. So a family is one row, and
-- whatever comes with its handle and an old secret is known for a token used twice, however old. sealed_pair: what
-- previous_hash was changed for, under a key that only that token gives. grant_id is unique: no code is redeemed twice.
CREATE TABLE token_families (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  client_id text COLLATE "C" NOT NULL,
  grant_id uuid,
  handle_hash bytea NOT NULL,
  head_hash bytea NOT NULL,
  previous_hash bytea,
  sealed_pair bytea,
  access_expires_at timestamptz NOT NULL,
  rotated_at timestamptz,
  idle_until timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT token_families_grant_id_key UNIQUE (grant_id),
  CONSTRAINT token_families_handle_hash_key UNIQUE (handle_hash),
  CONSTRAINT token_families_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT token_families_hash_sizes CHECK (octet_length(handle_hash) = 32 AND octet_length(head_hash) = 32),
  CONSTRAINT token_families_rotation_is_whole CHECK ((previous_hash IS NULL) = (rotated_at IS NULL)
    AND (previous_hash IS NULL) = (sealed_pair IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX token_families_user_id ON token_families (user_id, created_at);
CREATE INDEX token_families_idle_until ON token_families (idle_until);

-- The access tokens of a family go with it, so that ending it ends them at once.
ALTER TABLE api_tokens
  ADD COLUMN family_id uuid,
  ADD CONSTRAINT api_tokens_family_id_fkey FOREIGN KEY (family_id) REFERENCES token_families (id) ON DELETE CASCADE;
CREATE INDEX api_tokens_family_id ON api_tokens (family_id) WHERE family_id IS NOT NULL;
CREATE INDEX api_tokens_family_expires_at ON api_tokens (expires_at) WHERE family_id IS NOT NULL;

-- Wrong user codes within a time, by what they are counted for: an address, an account, everybody.
CREATE TABLE login_attempts (
  key text COLLATE "C" PRIMARY KEY,
  wrong int NOT NULL,
  until timestamptz NOT NULL
);
CREATE INDEX login_attempts_until ON login_attempts (until);

-- Counts wrong more wrong codes (0 or 1) for one key after the other and gives, for the first that had too many before, until
-- when; then nothing more is counted, so that who is not heard any more does not use up what others may get wrong. Also a
-- right code writes each row: whoever tries many at once is counted one behind the other.
CREATE FUNCTION login_attempts_count(keys text[], most bigint[], window_ms bigint, more int) RETURNS timestamptz
  LANGUAGE plpgsql AS '
DECLARE
  counted login_attempts;
BEGIN
  FOR i IN 1 .. cardinality(keys) LOOP
    INSERT INTO login_attempts AS a (key, wrong, until)
    VALUES (keys[i], more, statement_timestamp() + window_ms * interval ''1 millisecond'')
    ON CONFLICT (key) DO UPDATE SET
      wrong = CASE WHEN a.until > statement_timestamp() THEN a.wrong ELSE 0 END + excluded.wrong,
      until = CASE WHEN a.until > statement_timestamp() THEN a.until ELSE excluded.until END
    RETURNING a.* INTO counted;
    IF counted.wrong - more >= most[i] THEN
      RETURN counted.until;
    END IF;
  END LOOP;
  RETURN NULL;
END';

-- Suspending a user ends what they are logged in with. A trigger, because a login that is redeemed while the suspension
-- waits for its row is not in the suspending statement's snapshot; a function that is volatile looks anew.
CREATE FUNCTION users_end_logins() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
  DELETE FROM token_families WHERE user_id = NEW.id;
  UPDATE device_grants SET status = ''denied'' WHERE user_id = NEW.id AND status = ''approved'';
  RETURN NULL;
END';
CREATE TRIGGER users_end_logins AFTER UPDATE OF status ON users
  FOR EACH ROW WHEN (NEW.status = 'suspended') EXECUTE FUNCTION users_end_logins();
