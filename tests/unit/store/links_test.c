/* SPDX-License-Identifier: Apache-2.0 */
/* Links, browser sessions and logs: what goes in comes out, and every end has its answer. */
#include "../../../gate/base/clock.h"
#include "../../../gate/store/audit.h"
#include "../../../gate/store/browser.h"
#include "fixture.h"

#define NOBODY "01900000-0000-7000-8000-00000000dead"

static void link_generation_never_goes_back(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-link");
	struct link link = {0};
	bool found = false;
	assert_int_equal(fixture_link(f, user.id, "github", "one"), 1);
	assert_int_equal(fixture_link(f, user.id, "github", "two"), 2);
	assert_done(link_delete(f->store, f->arena, user.id, "github", &found, &link, &problem), problem);
	assert_true(found && link.readable);
	assert_string_equal(link.access_token.text, "two");
	assert_done(link_find(f->store, f->arena, user.id, "github", &found, &link, &problem), problem);
	assert_false(found);
	assert_done(link_delete(f->store, f->arena, user.id, "github", &found, &link, &problem), problem);
	assert_false(found);
	size_t count = 1;
	struct link *links = NULL;
	assert_done(link_list(f->store, f->arena, user.id, &count, &links, &problem), problem);
	assert_int_equal(count, 0);
	assert_int_equal(fixture_link(f, user.id, "github", "three"), 4);
}

static void link_keeps_all_it_is_given(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-whole");
	struct link link = {0};
	int64_t generation = 0;
	bool found = false;
	struct link_tokens tokens = {user.id, "gitlab", fixture_secret("access"), fixture_secret("refresh"),
		fixture_secret("{\"a\":1}"), "login", 1999999999123};
	assert_done(link_save(f->store, &tokens, &generation, &problem), problem);
	assert_done(link_find(f->store, f->arena, user.id, "gitlab", &found, &link, &problem), problem);
	assert_string_equal(link.access_token.text, "access");
	assert_string_equal(link.refresh_token.text, "refresh");
	assert_string_equal(link.extras.text, "{\"a\":1}");
	assert_string_equal(link.account, "login");
	assert_int_equal(link.expires_at_ms, 1999999999123);
	assert_int_equal(link.remembered, REASON_COUNT);
	assert_int_equal(link.last_valid_at_ms, 0);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM links WHERE access_token = 'access'"), "0");
	assert_done(link_note_valid(f->store, user.id, "gitlab", generation + 1, "other", &problem), problem);
	assert_done(link_find(f->store, f->arena, user.id, "gitlab", &found, &link, &problem), problem);
	assert_int_equal(link.last_valid_at_ms, 0);
	assert_done(link_note_valid(f->store, user.id, "gitlab", generation, "other", &problem), problem);
	assert_done(link_find(f->store, f->arena, user.id, "gitlab", &found, &link, &problem), problem);
	assert_true(link.last_valid_at_ms > 0);
	assert_string_equal(link.account, "other");
	assert_int_equal(link.generation, generation);
	tokens.refresh_token = tokens.extras = (struct secret){0};
	assert_done(link_save(f->store, &tokens, NULL, &problem), problem);
	assert_string_equal(fixture_sql(f, "SELECT refresh_token IS NULL AND extras IS NULL AND last_valid_at IS NULL "
					   "FROM links WHERE provider_id = 'gitlab' AND account = 'login'"),
		"t");
}

static void ticket_is_good_once_for_one_provider(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-ticket");
	struct browser_session session = {0};
	uint8_t ticket[SHA256_BYTES];
	uint8_t cookie[SHA256_BYTES];
	int64_t expires_at_ms = 0;
	bool found = false;
	fixture_hash("ticket", ticket);
	fixture_hash("cookie", cookie);
	assert_done(ticket_insert(f->store, ticket, user.id, "github", "/next", &expires_at_ms, &problem), problem);
	assert_true(expires_at_ms > clock_now_ms() + 200000);
	assert_done(ticket_redeem(f->store, f->arena, ticket, "gitlab", cookie, &found, &problem), problem);
	assert_false(found);
	assert_done(ticket_redeem(f->store, f->arena, ticket, "github", cookie, &found, &problem), problem);
	assert_true(found);
	uint8_t second[SHA256_BYTES];
	fixture_hash("second", second);
	assert_done(ticket_redeem(f->store, f->arena, ticket, "github", second, &found, &problem), problem);
	assert_false(found);
	assert_done(session_find(f->store, f->arena, cookie, &found, &session, &problem), problem);
	assert_true(found);
	assert_string_equal(session.redirect, "/next");
	assert_string_equal(session.provider_id, "github");
	assert_string_equal(session.user.id, user.id);
	fixture_sql(f, "UPDATE users SET status = 'suspended' WHERE username = 'u-ticket'");
	assert_done(session_find(f->store, f->arena, cookie, &found, &session, &problem), problem);
	assert_true(found && session.user.suspended);
}

static void expired_ticket_is_swept_out(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-sweep");
	uint8_t ticket[SHA256_BYTES];
	uint8_t cookie[SHA256_BYTES];
	int64_t expires_at_ms = 0;
	bool found = true;
	fixture_hash("old", ticket);
	fixture_hash("old-cookie", cookie);
	assert_done(ticket_insert(f->store, ticket, user.id, "github", NULL, &expires_at_ms, &problem), problem);
	fixture_sql(f, "UPDATE browser_tickets SET expires_at = now() - interval '1 second'");
	assert_done(ticket_redeem(f->store, f->arena, ticket, "github", cookie, &found, &problem), problem);
	assert_false(found);
	fixture_hash("new", ticket);
	assert_done(ticket_insert(f->store, ticket, user.id, "github", NULL, &expires_at_ms, &problem), problem);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM browser_tickets"), "1");
	assert_false(ticket_insert(f->store, cookie, NOBODY, "github", NULL, &expires_at_ms, &problem));
	assert_kind(problem, PROBLEM_NOT_FOUND);
}

static void state_is_taken_once_by_its_session(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-state");
	struct browser_session session = {0};
	struct oauth_state given = {"github", fixture_secret("verifier-of-43-characters"), "/x"};
	struct oauth_state taken = {0};
	uint8_t hash[SHA256_BYTES];
	uint8_t cookie[SHA256_BYTES];
	int64_t expires_at_ms = 0;
	bool found = false;
	fixture_hash("state", hash);
	fixture_hash("state-cookie", cookie);
	assert_done(ticket_insert(f->store, hash, user.id, "github", NULL, &expires_at_ms, &problem), problem);
	assert_done(ticket_redeem(f->store, f->arena, hash, "github", cookie, &found, &problem), problem);
	assert_done(session_find(f->store, f->arena, cookie, &found, &session, &problem), problem);
	assert_done(state_insert(f->store, hash, session.id, &given, &problem), problem);
	assert_string_equal(
		fixture_sql(f, "SELECT count(*) FROM oauth_states WHERE verifier = 'verifier-of-43-characters'"), "0");
	assert_done(state_take(f->store, f->arena, hash, NOBODY, &found, &taken, &problem), problem);
	assert_false(found);
	assert_done(state_take(f->store, f->arena, hash, session.id, &found, &taken, &problem), problem);
	assert_true(found);
	assert_string_equal(taken.verifier.text, "verifier-of-43-characters");
	assert_string_equal(taken.provider_id, "github");
	assert_string_equal(taken.redirect, "/x");
	assert_done(state_take(f->store, f->arena, hash, session.id, &found, &taken, &problem), problem);
	assert_false(found);
	given.verifier = (struct secret){0};
	assert_done(state_insert(f->store, hash, session.id, &given, &problem), problem);
	assert_done(state_take(f->store, f->arena, hash, session.id, &found, &taken, &problem), problem);
	assert_true(found && secret_is_empty(taken.verifier));
	assert_done(state_insert(f->store, hash, session.id, &given, &problem), problem);
	fixture_sql(f, "UPDATE oauth_states SET expires_at = now() - interval '1 second'");
	assert_done(state_take(f->store, f->arena, hash, session.id, &found, &taken, &problem), problem);
	assert_false(found);
	assert_false(state_insert(f->store, cookie, NOBODY, &given, &problem));
	assert_kind(problem, PROBLEM_SESSION_REQUIRED);
}

static void logs_are_written(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct audit_row row = {"req-1", "link.import", NULL, NOBODY, "github"};
	char id[UUID_TEXT_SIZE];
	assert_done(audit_insert(f->store, &row, &problem), problem);
	assert_string_equal(fixture_sql(f, "SELECT action || subject FROM audit_log WHERE request_id = 'req-1'"),
		"link.importgithub");
	struct store *store = fixture_open(f, 2, true);
	for (int i = 0; i < 1000; i++) {
		uuid_new(id);
		struct decision_row decision = {.id = id,
			.request_id = "storm",
			.moment = "create",
			.owner_id = NOBODY,
			.outcome = "refused",
			.findings = "[{\"provider\": \"git\\\"hub\"}]",
			.duration_ms = i};
		decision_enqueue(store, &decision);
	}
	uuid_new(id);
	struct decision_row broken = {
		.id = id, .request_id = "storm", .moment = "create", .outcome = "refused", .findings = "no json"};
	decision_enqueue(store, &broken);
	store_close(store);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM decisions WHERE request_id = 'storm' AND initiator_id "
					   "IS NULL "
					   "AND findings->0->>'provider' = 'git\"hub' AND now() - created_at < '1 "
					   "minute'"),
		"1000");
}

static void ping_knows_the_schema(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	assert_done(store_ping(f->store, &problem), problem);
	fixture_sql(f, "INSERT INTO schema_migrations (version, name) VALUES (99, 'future')");
	assert_false(store_ping(f->store, &problem));
	assert_kind(problem, PROBLEM_DATABASE_UNAVAILABLE);
	fixture_sql(f, "DELETE FROM schema_migrations WHERE version = 99");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_generation_never_goes_back),
		cmocka_unit_test(link_keeps_all_it_is_given),
		cmocka_unit_test(ticket_is_good_once_for_one_provider),
		cmocka_unit_test(expired_ticket_is_swept_out),
		cmocka_unit_test(state_is_taken_once_by_its_session),
		cmocka_unit_test(logs_are_written),
		cmocka_unit_test(ping_knows_the_schema),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
