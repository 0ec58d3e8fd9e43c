-- SPDX-License-Identifier: Apache-2.0
-- The tables of the first service. Keys are time-ordered UUIDs (RFC 9562 version 7) made by the service, so that new rows
-- meet on few, warm index pages. Names and words are compared byte by byte: COLLATE "C" is exact and cheap.

CREATE TABLE schema_migrations (
  version int PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- Roles are bits, so that the reads on every request's way copy a number: 1 member, 2 template-author, 4 control-plane,
-- 8 provisioner, 16 auditor, 32 admin. Everybody is a member.
CREATE TABLE users (
  id uuid PRIMARY KEY,
  username text COLLATE "C" NOT NULL,
  email text,
  status text COLLATE "C" NOT NULL DEFAULT 'active',
  roles int NOT NULL DEFAULT 1,
  is_system boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT users_username_key UNIQUE (username),
  CONSTRAINT users_username_lawful CHECK (username ~ '^[a-z0-9-]{1,32}$'),
  CONSTRAINT users_email_bounded CHECK (octet_length(email) BETWEEN 1 AND 254),
  CONSTRAINT users_status_known CHECK (status IN ('active', 'suspended')),
  CONSTRAINT users_roles_known CHECK (roles BETWEEN 1 AND 63 AND roles % 2 = 1)
);

-- Owns workspaces that nobody has claimed; it never signs in and no API shows it.
INSERT INTO users (id, username, is_system) VALUES ('00000000-0000-7000-8000-000000000001', 'prebuilds', true);

-- Found by hash on the way of every request; listed and deleted by user.
CREATE TABLE api_tokens (
  hash bytea PRIMARY KEY,
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  name text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  last_used_at timestamptz,
  CONSTRAINT api_tokens_user_id_id_key UNIQUE (user_id, id),
  CONSTRAINT api_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT api_tokens_hash_size CHECK (octet_length(hash) = 32),
  CONSTRAINT api_tokens_name_bounded CHECK (octet_length(name) <= 64)
);

CREATE TABLE templates (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  active_version_id uuid NOT NULL,
  enforcement text COLLATE "C" NOT NULL DEFAULT '',
  deprecated boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT templates_name_key UNIQUE (name),
  CONSTRAINT templates_name_lawful CHECK (name ~ '^[a-z0-9-]{1,64}$'),
  CONSTRAINT templates_enforcement_known CHECK (enforcement IN ('', 'deny', 'warn', 'dryrun'))
);

-- The ids of a version's providers, of a list of objects, of bare ids, or of both mixed.
CREATE FUNCTION requirement_ids(external_auth jsonb) RETURNS text[]
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN ARRAY(
    SELECT CASE WHEN jsonb_typeof(element) = 'string' THEN element #>> '{}' ELSE element ->> 'id' END
    FROM jsonb_array_elements(CASE WHEN jsonb_typeof(external_auth) = 'array' THEN external_auth ELSE '[]' END)
      AS elements (element));

-- external_auth is [{id, optional}], or a legacy list of bare ids. provider_ids is worked out once, when a version is
-- written, so that the read before the gate finds the owner's links by index instead of opening the list each time.
CREATE TABLE template_versions (
  id uuid PRIMARY KEY,
  template_id uuid NOT NULL,
  ordinal int NOT NULL,
  archived boolean NOT NULL DEFAULT false,
  external_auth jsonb NOT NULL DEFAULT '[]',
  provider_ids text[] COLLATE "C" GENERATED ALWAYS AS (requirement_ids(external_auth)) STORED,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT template_versions_template_id_id_key UNIQUE (template_id, id),
  CONSTRAINT template_versions_template_id_ordinal_key UNIQUE (template_id, ordinal),
  CONSTRAINT template_versions_template_id_fkey FOREIGN KEY (template_id) REFERENCES templates (id),
  CONSTRAINT template_versions_external_auth_is_list CHECK (jsonb_typeof(external_auth) = 'array')
);

-- Both columns, so that a template cannot make another's version its own. The template and its first version are written
-- by one statement; the references are checked at its end.
ALTER TABLE templates ADD CONSTRAINT templates_active_version_fkey
  FOREIGN KEY (id, active_version_id) REFERENCES template_versions (template_id, id);

-- One owner's tokens at one provider. Unlinking empties the row and keeps it, because the generation may never go back:
-- a gate that relied on the link before must not find the same number after a new link. access_token NULL: no link.
-- Token columns are sealed under key_id, or clear where key_id is NULL. updated often (last_valid_at): fillfactor leaves
-- room for new versions of the row on its own page.
CREATE TABLE links (
  owner_id uuid NOT NULL,
  provider_id text COLLATE "C" NOT NULL,
  generation bigint NOT NULL DEFAULT 1,
  access_token bytea,
  refresh_token bytea,
  extras bytea,
  key_id text COLLATE "C",
  account text,
  issued_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  last_valid_at timestamptz,
  remembered_reason text COLLATE "C",
  remembered_detail text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (owner_id, provider_id),
  CONSTRAINT links_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT links_provider_id_bounded CHECK (octet_length(provider_id) BETWEEN 1 AND 64),
  CONSTRAINT links_generation_positive CHECK (generation > 0),
  CONSTRAINT links_unlinked_holds_nothing CHECK (access_token IS NOT NULL OR
    (refresh_token IS NULL AND extras IS NULL AND key_id IS NULL AND account IS NULL)),
  CONSTRAINT links_refresh_token_not_empty CHECK (octet_length(refresh_token) > 0),
  CONSTRAINT links_remembered_bounded CHECK (char_length(remembered_detail) <= 400)
) WITH (fillfactor = 80);

-- parameters and warnings are json, not jsonb: they are handed back as they were given. The version names the template.
-- Versions are never removed, so nothing needs to find workspaces by version.
CREATE TABLE workspaces (
  id uuid PRIMARY KEY,
  owner_id uuid NOT NULL,
  name text COLLATE "C" NOT NULL,
  template_version_id uuid NOT NULL,
  decision_id uuid,
  parameters json NOT NULL DEFAULT '{}',
  warnings json NOT NULL DEFAULT '[]',
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT workspaces_owner_id_name_key UNIQUE (owner_id, name),
  CONSTRAINT workspaces_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id),
  CONSTRAINT workspaces_template_version_id_fkey FOREIGN KEY (template_version_id) REFERENCES template_versions (id),
  -- Only lower case, so that the unique name is unique in any case.
  CONSTRAINT workspaces_name_lawful CHECK (name ~ '^[a-z0-9-]{1,32}$')
);

CREATE TABLE builds (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  number int NOT NULL,
  transition text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL DEFAULT 'pending',
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT builds_workspace_id_number_key UNIQUE (workspace_id, number),
  CONSTRAINT builds_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
  CONSTRAINT builds_number_positive CHECK (number > 0),
  CONSTRAINT builds_transition_known CHECK (transition IN ('start', 'stop', 'delete')),
  CONSTRAINT builds_status_known CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'canceled'))
);

-- What the gate decided. No references: the log outlives the users, versions and workspaces it speaks of. Its key is
-- time-ordered, so a page of the log is a walk along the key.
CREATE TABLE decisions (
  id uuid PRIMARY KEY,
  request_id text,
  moment text COLLATE "C" NOT NULL,
  initiator_id uuid,
  owner_id uuid,
  template_version_id uuid,
  outcome text COLLATE "C" NOT NULL,
  findings jsonb NOT NULL DEFAULT '[]',
  duration_ms bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Who did what to whom. No references, as above.
CREATE TABLE audit_log (
  id uuid PRIMARY KEY,
  request_id text,
  action text COLLATE "C" NOT NULL,
  initiator_id uuid,
  subject_user_id uuid,
  subject text,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- A one-time ticket: the row goes when it is spent. The indexes on expires_at find what a later insert sweeps out.
CREATE TABLE browser_tickets (
  hash bytea PRIMARY KEY,
  user_id uuid NOT NULL,
  provider_id text COLLATE "C" NOT NULL,
  redirect text,
  expires_at timestamptz NOT NULL,
  CONSTRAINT browser_tickets_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT browser_tickets_hash_size CHECK (octet_length(hash) = 32)
);
CREATE INDEX browser_tickets_expires_at ON browser_tickets (expires_at);
CREATE INDEX browser_tickets_user_id ON browser_tickets (user_id);

CREATE TABLE browser_sessions (
  hash bytea PRIMARY KEY,
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  provider_id text COLLATE "C",
  redirect text,
  expires_at timestamptz NOT NULL,
  CONSTRAINT browser_sessions_id_key UNIQUE (id),
  CONSTRAINT browser_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT browser_sessions_hash_size CHECK (octet_length(hash) = 32)
);
CREATE INDEX browser_sessions_expires_at ON browser_sessions (expires_at);
CREATE INDEX browser_sessions_user_id ON browser_sessions (user_id);

-- The state of an authorization request: the row goes when it is taken. verifier is the PKCE verifier, sealed.
CREATE TABLE oauth_states (
  hash bytea PRIMARY KEY,
  session_id uuid NOT NULL,
  provider_id text COLLATE "C" NOT NULL,
  verifier bytea,
  key_id text COLLATE "C",
  redirect text,
  expires_at timestamptz NOT NULL,
  CONSTRAINT oauth_states_session_id_fkey FOREIGN KEY (session_id) REFERENCES browser_sessions (id) ON DELETE CASCADE,
  CONSTRAINT oauth_states_hash_size CHECK (octet_length(hash) = 32)
);
CREATE INDEX oauth_states_expires_at ON oauth_states (expires_at);
CREATE INDEX oauth_states_session_id ON oauth_states (session_id);

-- A known text sealed under each key that may have sealed something here, so that a wrong key is found at start. slot is
-- counted up by who adds a key: of two services that start on an empty table with different keys, only one can be first.
CREATE TABLE vault_check (
  slot int PRIMARY KEY,
  key_id text COLLATE "C" NOT NULL,
  value bytea NOT NULL,
  CONSTRAINT vault_check_key_id_key UNIQUE (key_id)
);
