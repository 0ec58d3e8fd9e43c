-- SPDX-License-Identifier: Apache-2.0
-- Whoever's sessions are over is logged in nowhere, the command line included: an administrator who lets another account
-- at the sign-in service be the user's ends what the account before it has approved.
DROP TRIGGER users_end_logins ON users;
CREATE TRIGGER users_end_logins AFTER UPDATE OF status, sessions_generation ON users
  FOR EACH ROW WHEN (NEW.status = 'suspended' OR NEW.sessions_generation <> OLD.sessions_generation)
  EXECUTE FUNCTION users_end_logins();
