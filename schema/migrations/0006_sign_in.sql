-- SPDX-License-Identifier: Apache-2.0
-- Sign-in with OpenID Connect: whose account at the sign-in service a user is, the sessions of who signed in, and the state
-- of a sign-in that is under way.

-- A user is bound to the first subject of the issuer that signs in under the name: another subject with that name is
-- somebody else. sessions_generation moves on when the user is suspended, and every session of before is over, also one
-- that is being made at that moment: who makes it holds the row.
ALTER TABLE users
  ADD COLUMN oidc_issuer text COLLATE "C",
  ADD COLUMN oidc_subject text COLLATE "C",
  ADD COLUMN sessions_generation bigint NOT NULL DEFAULT 1,
  ADD CONSTRAINT users_oidc_is_whole CHECK ((oidc_issuer IS NULL) = (oidc_subject IS NULL)),
  ADD CONSTRAINT users_oidc_bounded CHECK (octet_length(oidc_issuer) <= 2048 AND octet_length(oidc_subject) BETWEEN 1 AND 255),
  ADD CONSTRAINT users_oidc_key UNIQUE (oidc_issuer, oidc_subject);

-- Of a session that was signed in for: provider_id is NULL, and user_generation is the user's sessions_generation of then.
-- NULL: the session of a ticket.
ALTER TABLE browser_sessions
  ADD COLUMN user_generation bigint;

-- The state of an authorization request for a sign-in: the row goes when it is taken. browser_hash is of the cookie that the
-- browser got with it. Verifier and nonce are derived from that cookie and stand nowhere.
CREATE TABLE sign_in_states (
  hash bytea PRIMARY KEY,
  browser_hash bytea NOT NULL,
  redirect text,
  expires_at timestamptz NOT NULL,
  CONSTRAINT sign_in_states_hash_size CHECK (octet_length(hash) = 32),
  CONSTRAINT sign_in_states_browser_hash_size CHECK (octet_length(browser_hash) = 32)
);
CREATE INDEX sign_in_states_expires_at ON sign_in_states (expires_at);
