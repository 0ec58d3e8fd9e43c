/* SPDX-License-Identifier: Apache-2.0 */
/* Users, tokens, templates and versions: what goes in comes out, and every end has its answer. */
#include "../../../gate/base/clock.h"
#include "fixture.h"

#define NOBODY "01900000-0000-7000-8000-00000000dead"

static const struct page whole = {"", 100};

static void user_comes_back_as_it_was_inserted(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user given = {.username = "u-full",
		.email = "full@example.org",
		.suspended = true,
		.roles = 1u << ROLE_MEMBER | 1u << ROLE_ADMIN | 1u << ROLE_AUDITOR};
	struct user user = {0};
	bool found = false;
	assert_done(user_insert(f->store, f->arena, &given, &user, &problem), problem);
	struct user again = {0};
	assert_done(user_find(f->store, f->arena, "u-full", &found, &again, &problem), problem);
	assert_true(found);
	assert_string_equal(again.id, user.id);
	assert_string_equal(again.email, "full@example.org");
	assert_true(again.suspended);
	assert_int_equal(again.roles, given.roles);
	assert_true(again.created_at_ms > clock_now_ms() - 60000 && again.created_at_ms <= clock_now_ms() + 1000);
	assert_done(user_find(f->store, f->arena, user.id, &found, &again, &problem), problem);
	assert_true(found);
}

static void taken_username_is_said_by_field(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user given = fixture_user(f, "u-twice");
	struct user user = {0};
	assert_false(user_insert(f->store, f->arena, &given, &user, &problem));
	assert_kind(problem, PROBLEM_NAME_TAKEN);
	assert_string_equal(problem.violations[0].field, "username");
}

static void system_user_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user;
	bool found = true;
	assert_done(user_find(f->store, f->arena, "prebuilds", &found, &user, &problem), problem);
	assert_false(found);
	assert_done(user_find(f->store, f->arena, NOBODY, &found, &user, &problem), problem);
	assert_false(found);
	assert_done(user_delete(f->store, &(struct user){.id = "00000000-0000-7000-8000-000000000001", .roles = 1},
			    &found, &problem),
		problem);
	assert_false(found);
}

static void users_page_by_id(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	size_t count = 0;
	struct user *users = NULL;
	fixture_user(f, "u-page-1");
	fixture_user(f, "u-page-2");
	assert_done(user_list(f->store, f->arena, whole, &count, &users, &problem), problem);
	size_t all = count;
	size_t seen = 0;
	struct page page = {"", 1};
	for (;;) {
		assert_done(user_list(f->store, f->arena, page, &count, &users, &problem), problem);
		if (count == 0)
			break;
		assert_int_equal(count, 1);
		page.after_id = users[0].id;
		seen++;
	}
	assert_int_equal(seen, all);
}

static void update_changes_only_what_is_given(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-change");
	bool found = false;
	const bool yes = true;
	const role_set roles = 1u << ROLE_MEMBER | 1u << ROLE_PROVISIONER;
	struct user_change change = {.suspended = &yes, .email = "a@b"};
	assert_done(user_update(f->store, f->arena, &user, &change, &found, &user, &problem), problem);
	assert_true(found && user.suspended);
	change = (struct user_change){.roles = &roles};
	assert_done(user_update(f->store, f->arena, &user, &change, &found, &user, &problem), problem);
	assert_true(user.suspended);
	assert_string_equal(user.email, "a@b");
	assert_int_equal(user.roles, roles);
	change = (struct user_change){.clear_email = true};
	assert_done(user_update(f->store, f->arena, &user, &change, &found, &user, &problem), problem);
	assert_null(user.email);
	assert_done(user_update(f->store, f->arena, &(struct user){.id = NOBODY, .roles = 1}, &change, &found, &user,
			    &problem),
		problem);
	assert_false(found);
}

static void who_was_promoted_meanwhile_is_judged_anew(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user judged = fixture_user(f, "u-promoted");
	struct user user = judged;
	const role_set roles = (1u << ROLE_MEMBER) | (1u << ROLE_ADMIN);
	const bool yes = true;
	const struct user_change promotion = {.roles = &roles};
	const struct user_change suspension = {.suspended = &yes};
	bool found = false;

	assert_done(user_update(f->store, f->arena, &judged, &promotion, &found, &user, &problem), problem);
	assert_true(found);
	assert_done(user_update(f->store, f->arena, &judged, &suspension, &found, &user, &problem), problem);
	assert_false(found);
	assert_done(user_delete(f->store, &judged, &found, &problem), problem);
	assert_false(found);
	assert_done(user_delete(f->store, &user, &found, &problem), problem);
	assert_true(found);
}

static void delete_takes_what_hangs_on_a_user(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-gone");
	struct api_token token;
	uint8_t hash[SHA256_BYTES];
	bool found = false;
	int64_t left_ms = 0;
	fixture_hash("u-gone", hash);
	fixture_link(f, user.id, "github", "t");
	assert_done(token_insert(f->store, f->arena, user.id, "", hash, 60, &token, &problem), problem);
	assert_done(user_delete(f->store, &user, &found, &problem), problem);
	assert_true(found);
	assert_done(token_find_user(f->store, f->arena, hash, &found, &user, &left_ms, &problem), problem);
	assert_false(found);
	assert_done(user_delete(f->store, &user, &found, &problem), problem);
	assert_false(found);
	struct link_tokens tokens = {.owner_id = user.id, .provider_id = "github", .access_token = fixture_secret("t")};
	assert_false(link_save(f->store, &tokens, NULL, &problem));
	assert_kind(problem, PROBLEM_NOT_FOUND);
	assert_false(token_insert(f->store, f->arena, user.id, "", hash, 60, &token, &problem));
	assert_kind(problem, PROBLEM_NOT_FOUND);
}

static void user_with_workspaces_stays(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-busy");
	struct template_version version = fixture_version(f, "t-busy", NULL, NULL);
	enum insert_end end = INSERT_OWNER_GONE;
	bool found = false;
	struct create_try try = {user.id, version.id, "dev", NULL, 0};
	assert_done(fixture_create(f->store, &try, &end, &problem), problem);
	assert_int_equal(end, INSERT_DONE);
	assert_false(user_delete(f->store, &user, &found, &problem));
	assert_kind(problem, PROBLEM_CONFLICT);
	assert_true(found);
}

static void token_lives_is_listed_and_deleted(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-token");
	struct user owner = {0};
	struct api_token token = {0};
	struct api_token *tokens = NULL;
	uint8_t hash[SHA256_BYTES];
	uint8_t deleted[SHA256_BYTES] = {0};
	size_t count = 0;
	bool found = false;
	int64_t left_ms = 0;
	fixture_hash("token-1", hash);
	assert_done(token_insert(f->store, f->arena, user.id, "laptop", hash, 3600, &token, &problem), problem);
	assert_int_equal(token.expires_at_ms - token.created_at_ms, 3600000);
	assert_int_equal(token.last_used_at_ms, 0);
	assert_done(token_find_user(f->store, f->arena, hash, &found, &owner, &left_ms, &problem), problem);
	assert_true(found);
	assert_true(left_ms > 3590000 && left_ms <= 3600000);
	assert_string_equal(owner.id, user.id);
	assert_done(token_list(f->store, f->arena, user.id, whole, &count, &tokens, &problem), problem);
	assert_int_equal(count, 1);
	assert_string_equal(tokens[0].name, "laptop");
	assert_true(tokens[0].last_used_at_ms > 0);
	int64_t first_use_ms = tokens[0].last_used_at_ms;
	assert_done(token_find_user(f->store, f->arena, hash, &found, &owner, &left_ms, &problem), problem);
	assert_done(token_list(f->store, f->arena, user.id, whole, &count, &tokens, &problem), problem);
	assert_int_equal(tokens[0].last_used_at_ms, first_use_ms);
	assert_done(token_delete(f->store, NOBODY, token.id, &found, deleted, &problem), problem);
	assert_false(found);
	assert_done(token_delete(f->store, user.id, token.id, &found, deleted, &problem), problem);
	assert_true(found);
	assert_memory_equal(deleted, hash, sizeof(hash));
	assert_done(token_find_user(f->store, f->arena, hash, &found, &owner, &left_ms, &problem), problem);
	assert_false(found);
}

static void expired_token_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "u-expired");
	struct api_token token;
	uint8_t hash[SHA256_BYTES];
	bool found = true;
	int64_t left_ms = 0;
	fixture_hash("token-expired", hash);
	assert_done(token_insert(f->store, f->arena, user.id, "", hash, -1, &token, &problem), problem);
	assert_done(token_find_user(f->store, f->arena, hash, &found, &user, &left_ms, &problem), problem);
	assert_false(found);
}

static void bootstrap_admin_may_start_twice(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = {0};
	uint8_t hash[SHA256_BYTES];
	bool found = false;
	int64_t left_ms = 0;
	fixture_hash("admin-token", hash);
	for (int i = 0; i < 2; i++) {
		assert_done(user_bootstrap_admin(f->store, fixture_secret("admin-token"), &problem), problem);
		assert_done(token_find_user(f->store, f->arena, hash, &found, &user, &left_ms, &problem), problem);
		assert_true(found && !user.suspended);
		assert_string_equal(user.username, "admin");
		assert_int_equal(user.roles, 1u << ROLE_MEMBER | 1u << ROLE_ADMIN);
		fixture_sql(f, "UPDATE users SET status = 'suspended', roles = 1 WHERE username = 'admin'");
	}
}

static void template_and_first_version_are_one(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct template_version version = fixture_version(f, "t-one", "github", "gitlab");
	struct template template = {0};
	struct template_version other;
	bool found = false;
	assert_int_equal(version.ordinal, 1);
	assert_int_equal(version.requirements.count, 2);
	assert_string_equal(version.requirements.list[0].provider_id, "github");
	assert_true(version.requirements.list[1].optional);
	assert_done(template_find(f->store, f->arena, "t-one", &found, &template, &problem), problem);
	assert_true(found);
	assert_string_equal(template.active_version_id, version.id);
	assert_string_equal(template.enforcement, "");
	struct requirements none = {0};
	assert_false(template_insert(f->store, f->arena, "t-one", &none, &template, &other, &problem));
	assert_kind(problem, PROBLEM_NAME_TAKEN);
	assert_string_equal(problem.violations[0].field, "name");
}

static void template_takes_only_its_own_living_versions(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct template_version first = fixture_version(f, "t-active", NULL, NULL);
	struct template_version foreign = fixture_version(f, "t-foreign", NULL, NULL);
	struct template template = {0};
	struct template_version second = {0};
	struct requirements none = {0};
	const bool yes = true;
	bool found = false;
	assert_done(
		version_insert(f->store, f->arena, first.template_id, &none, true, &found, &second, &problem), problem);
	assert_true(found);
	assert_int_equal(second.ordinal, 2);
	struct template_change change = {.enforcement = "warn,autostart=dryrun", .deprecated = &yes};
	assert_done(
		template_update(f->store, f->arena, first.template_id, &change, &found, &template, &problem), problem);
	assert_string_equal(template.active_version_id, second.id);
	assert_string_equal(template.enforcement, "warn,autostart=dryrun");
	assert_true(template.deprecated);
	change = (struct template_change){.active_version_id = foreign.id};
	assert_false(template_update(f->store, f->arena, first.template_id, &change, &found, &template, &problem));
	assert_kind(problem, PROBLEM_VALIDATION_FAILED);
	assert_string_equal(problem.violations[0].field, "active_version_id");
	assert_done(version_set_archived(f->store, f->arena, second.id, true, &found, &second, &problem), problem);
	assert_true(found && second.archived);
	assert_done(version_set_archived(f->store, f->arena, first.id, true, &found, &first, &problem), problem);
	assert_true(found && first.archived);
	change.active_version_id = first.id;
	assert_false(template_update(f->store, f->arena, first.template_id, &change, &found, &template, &problem));
	assert_kind(problem, PROBLEM_VERSION_ARCHIVED);
	assert_done(version_set_archived(f->store, f->arena, first.id, false, &found, &first, &problem), problem);
	assert_done(
		template_update(f->store, f->arena, first.template_id, &change, &found, &template, &problem), problem);
	assert_string_equal(template.active_version_id, first.id);
	assert_done(template_update(f->store, f->arena, NOBODY, &change, &found, &template, &problem), problem);
	assert_false(found);
	assert_done(version_insert(f->store, f->arena, NOBODY, &none, true, &found, &second, &problem), problem);
	assert_false(found);
	assert_done(version_set_archived(f->store, f->arena, NOBODY, true, &found, &second, &problem), problem);
	assert_false(found);
}

static void lists_of_templates_and_versions(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct template_version version = fixture_version(f, "t-list", NULL, NULL);
	struct template_version *versions = NULL;
	struct template *templates = NULL;
	struct requirements none = {0};
	size_t count = 0;
	bool found = false;
	assert_done(version_insert(f->store, f->arena, version.template_id, &none, false, &found, &version, &problem),
		problem);
	assert_done(version_list(f->store, f->arena, version.template_id, whole, &count, &versions, &problem), problem);
	assert_int_equal(count, 2);
	assert_int_equal(versions[1].ordinal, 2);
	assert_done(template_list(f->store, f->arena, whole, &count, &templates, &problem), problem);
	assert_true(count >= 1);
}

static void legacy_lists_are_all_required(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct template_version version = fixture_version(f, "t-legacy", NULL, NULL);
	bool found = false;
	fixture_sql(f, "UPDATE template_versions v SET external_auth = '[\"github\", {\"id\": \"gitlab\", "
		       "\"optional\": true}, "
		       "\"gitlab\", {\"id\": \"gitea\"}]' FROM templates t WHERE t.name = 't-legacy' AND t.id = "
		       "v.template_id");
	assert_done(version_find(f->store, f->arena, version.id, &found, &version, &problem), problem);
	assert_int_equal(version.requirements.count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_false(version.requirements.list[i].optional);
	assert_string_equal(fixture_sql(f, "SELECT provider_ids::text FROM template_versions v JOIN templates t ON "
					   "t.id = "
					   "v.template_id WHERE t.name = 't-legacy'"),
		"{github,gitlab,gitlab,gitea}");
}

static void unreadable_list_is_no_empty_list(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct template_version version = fixture_version(f, "t-broken", NULL, NULL);
	bool found = false;
	fixture_sql(f, "UPDATE template_versions v SET external_auth = '[7]' FROM templates t WHERE t.name = "
		       "'t-broken' AND "
		       "t.id = v.template_id");
	assert_false(version_find(f->store, f->arena, version.id, &found, &version, &problem));
	assert_kind(problem, PROBLEM_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_comes_back_as_it_was_inserted),
		cmocka_unit_test(taken_username_is_said_by_field),
		cmocka_unit_test(system_user_is_not_found),
		cmocka_unit_test(users_page_by_id),
		cmocka_unit_test(update_changes_only_what_is_given),
		cmocka_unit_test(who_was_promoted_meanwhile_is_judged_anew),
		cmocka_unit_test(delete_takes_what_hangs_on_a_user),
		cmocka_unit_test(user_with_workspaces_stays),
		cmocka_unit_test(token_lives_is_listed_and_deleted),
		cmocka_unit_test(expired_token_is_not_found),
		cmocka_unit_test(bootstrap_admin_may_start_twice),
		cmocka_unit_test(template_and_first_version_are_one),
		cmocka_unit_test(template_takes_only_its_own_living_versions),
		cmocka_unit_test(lists_of_templates_and_versions),
		cmocka_unit_test(legacy_lists_are_all_required),
		cmocka_unit_test(unreadable_list_is_no_empty_list),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
