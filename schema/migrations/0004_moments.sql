-- SPDX-License-Identifier: Apache-2.0
-- Every moment at which the gate stands besides a create: builds and who carries them out, workspaces that wait to be
-- claimed, exemptions, answers that are given again, and what the decision log is asked for.

-- moment: as what the gate judged the build, and judges it again when a provisioner asks for work; '' for a build that is
-- never gated (stop, delete, and whatever belongs to the user `prebuilds`). A lease says who works on a build; it is judged
-- on the database's clock, and one that ran out gives the build back. attempt counts the times it was handed out.
-- error is the refusal's body where the gate stopped the build, else {"message": …} as the provisioner said it.
ALTER TABLE builds
  ADD COLUMN moment text COLLATE "C" NOT NULL DEFAULT 'create',
  ADD COLUMN initiator_id uuid,
  ADD COLUMN decision_id uuid,
  ADD COLUMN warnings json NOT NULL DEFAULT '[]',
  ADD COLUMN error json,
  ADD COLUMN attempt int NOT NULL DEFAULT 0,
  ADD COLUMN provisioner_id uuid,
  ADD COLUMN lease_id uuid,
  ADD COLUMN lease_until timestamptz,
  ADD COLUMN started_at timestamptz,
  ADD COLUMN completed_at timestamptz,
  ADD CONSTRAINT builds_moment_known CHECK (moment IN ('', 'create', 'start', 'autostart', 'claim')),
  ADD CONSTRAINT builds_attempt_counts CHECK (attempt >= 0),
  ADD CONSTRAINT builds_lease_is_whole CHECK ((lease_id IS NULL) = (lease_until IS NULL)),
  ADD CONSTRAINT builds_running_is_leased CHECK (status <> 'running' OR lease_id IS NOT NULL),
  ADD CONSTRAINT builds_over_is_timed CHECK (status IN ('pending', 'running') OR completed_at IS NOT NULL);

-- What a provisioner may be given, oldest first; and what is being judged for one, found again by the id of its claim.
CREATE INDEX builds_open ON builds (id) WHERE status IN ('pending', 'running');
-- The lowest open number of a workspace: one look, however many builds it has had, and whatever the planner believes.
CREATE INDEX builds_open_of_workspace ON builds (workspace_id, number) WHERE status IN ('pending', 'running');
CREATE INDEX builds_claimed ON builds (lease_id) WHERE status = 'pending' AND lease_id IS NOT NULL;

-- A workspace stays as a row when its deletion is done, because its builds and decisions are asked for later; its name is
-- free again. claimed_at: it was built ahead, and taken over then. build_number is that of its newest build and
-- deleting_number that of its newest open deletion: whoever adds a build changes this row, so of two at once the second
-- sees what the first did, which a look at the builds within one statement would not.
ALTER TABLE workspaces
  ADD COLUMN build_number int NOT NULL DEFAULT 1,
  ADD COLUMN deleting_number int,
  ADD COLUMN claimed_at timestamptz,
  ADD COLUMN deleted_at timestamptz,
  DROP CONSTRAINT workspaces_owner_id_name_key;
CREATE UNIQUE INDEX workspaces_owner_id_name_key ON workspaces (owner_id, name) WHERE deleted_at IS NULL;
-- Whose workspaces a template has: the fleet view reads this index alone.
CREATE INDEX workspaces_template_version_id ON workspaces (template_version_id, owner_id) WHERE deleted_at IS NULL;
CREATE INDEX workspaces_to_claim ON workspaces (template_version_id, id)
  WHERE owner_id = '00000000-0000-7000-8000-000000000001' AND deleted_at IS NULL;

-- One word for all moments, a word for single ones, or both: policy/enforcement.c reads it.
ALTER TABLE templates
  DROP CONSTRAINT templates_enforcement_known,
  ADD CONSTRAINT templates_enforcement_bounded CHECK (octet_length(enforcement) <= 128);

-- An owner who may pass for a while without one of a template's providers. Who granted it is kept by name, too: the
-- exemption is shown with it after that user is gone. One that is over is as good as none and may be granted anew.
CREATE TABLE exemptions (
  id uuid PRIMARY KEY,
  owner_id uuid NOT NULL,
  template_id uuid NOT NULL,
  provider_id text COLLATE "C" NOT NULL,
  reason text NOT NULL,
  granted_by_id uuid,
  granted_by_name text COLLATE "C" NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT exemptions_owner_template_provider_key UNIQUE (owner_id, template_id, provider_id),
  CONSTRAINT exemptions_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT exemptions_template_id_fkey FOREIGN KEY (template_id) REFERENCES templates (id),
  CONSTRAINT exemptions_provider_id_bounded CHECK (octet_length(provider_id) BETWEEN 1 AND 64),
  CONSTRAINT exemptions_reason_bounded CHECK (char_length(reason) BETWEEN 1 AND 400)
);

-- What a caller's Idempotency-Key stands for. held_until NULL: answered, and status, location and body are the answer.
-- Else somebody works on it: holder, until then by the database's clock. body_hash covers method, path and body.
CREATE TABLE idempotency_keys (
  user_id uuid NOT NULL,
  key_hash bytea NOT NULL,
  body_hash bytea NOT NULL,
  holder uuid NOT NULL,
  held_until timestamptz,
  status int,
  location text,
  body text,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, key_hash),
  CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
  CONSTRAINT idempotency_keys_key_hash_size CHECK (octet_length(key_hash) = 32),
  CONSTRAINT idempotency_keys_body_hash_size CHECK (octet_length(body_hash) = 32),
  CONSTRAINT idempotency_keys_held_or_answered CHECK ((held_until IS NULL) = (status IS NOT NULL AND body IS NOT NULL))
);
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);

-- surface: who asked the gate (the API, a hook, a provisioner). owner_name: for an owner the service has not seen yet there
-- is no id. on_behalf_of: whom a control plane named as initiator. strict_outcome: what the answer would have been with
-- every provider enforced and nobody exempt. reasons: those of the findings that were not plainly good, each once and in the
-- order of contract section 5, so that few different lists occur; NULL: none. made_nothing: a refusal, or a check that
-- passed; anybody may cause any number of these, so their number is bounded. Rows may go as fast as they come, which is
-- faster than the usual fifth of the table becomes worth a vacuum.
ALTER TABLE decisions
  ADD COLUMN surface text COLLATE "C" NOT NULL DEFAULT 'api',
  ADD COLUMN owner_name text COLLATE "C",
  ADD COLUMN on_behalf_of text,
  ADD COLUMN strict_outcome text COLLATE "C",
  ADD COLUMN reasons text[] COLLATE "C",
  ADD COLUMN made_nothing boolean NOT NULL GENERATED ALWAYS AS
    (outcome <> 'allowed' OR surface IN ('check', 'admission_review', 'ext_authz', 'opa')) STORED,
  SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX decisions_owner_id ON decisions (owner_id, id);
CREATE INDEX decisions_owner_name ON decisions (owner_name, id) WHERE owner_id IS NULL;
CREATE INDEX decisions_outcome ON decisions (outcome, id);
CREATE INDEX decisions_made_nothing ON decisions (id) WHERE made_nothing;
CREATE INDEX decisions_reasons ON decisions (reasons, outcome, id) WHERE reasons IS NOT NULL;
