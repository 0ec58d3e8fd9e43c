/* SPDX-License-Identifier: Apache-2.0 */
/* Exemptions: one in force for an owner, a template and a provider; what is over counts as none; the read before the
 * gate brings those that matter to it and no other. */
#include <string.h>

#include "../../../gate/base/clock.h"
#include "fixture.h"

#define NOBODY "01900000-0000-7000-8000-00000000dead"
#define ADMIN_ID "01900000-0000-7000-8000-0000000000ad"
#define HOUR_MS INT64_C(3600000)

static const struct page whole = {"", 100};

static struct exemption wanted(const char *owner_id, const char *template_id, const char *provider_id)
{
	return (struct exemption){.owner_id = owner_id,
		.template_id = template_id,
		.provider_id = provider_id,
		.reason = "moves to another account",
		.granted_by_id = ADMIN_ID,
		.granted_by_name = "root",
		.expires_at_ms = clock_now_ms() + HOUR_MS};
}

static struct exemption grant(
	const struct fixture *f, const char *owner_id, const char *template_id, const char *provider_id)
{
	struct problem problem = {0};
	struct exemption exemption = wanted(owner_id, template_id, provider_id);
	struct exemption granted = {0};
	assert_done(exemption_insert(f->store, f->arena, &exemption, &granted, &problem), problem);
	return granted;
}

/* Expires what a test names, as the time would. */
static void end(const struct fixture *f, const char *id)
{
	fixture_sql(
		f, arena_printf(f->arena,
			   "UPDATE exemptions SET expires_at = now() - interval '1 millisecond' WHERE id = '%s'", id));
}

static struct create_facts read_facts(const struct fixture *f, const char *owner, const char *version_id)
{
	struct problem problem = {0};
	struct create_facts facts;
	const struct create_question question = {.owner = owner, .version_id = version_id, .workspace_name = "dev"};
	assert_done(create_facts_read(f->store, f->arena, &question, &facts, &problem), problem);
	return facts;
}

static size_t list(
	const struct fixture *f, struct exemption_filter filter, struct page page, struct exemption **ret_list)
{
	struct problem problem = {0};
	size_t count = 0;
	assert_done(exemption_list(f->store, f->arena, &filter, page, &count, ret_list, &problem), problem);
	return count;
}

static void assert_same(const struct exemption *left, const struct exemption *right)
{
	assert_string_equal(left->id, right->id);
	assert_string_equal(left->owner_id, right->owner_id);
	assert_string_equal(left->owner_name, right->owner_name);
	assert_string_equal(left->template_id, right->template_id);
	assert_string_equal(left->template_name, right->template_name);
	assert_string_equal(left->provider_id, right->provider_id);
	assert_string_equal(left->reason, right->reason);
	assert_string_equal(left->granted_by_id, right->granted_by_id);
	assert_string_equal(left->granted_by_name, right->granted_by_name);
	assert_int_equal(left->expires_at_ms, right->expires_at_ms);
	assert_int_equal(left->created_at_ms, right->created_at_ms);
}

static void exemption_comes_back_as_it_was_granted(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "e-back");
	struct template_version version = fixture_version(f, "te-back", "github", NULL);
	struct exemption given = wanted(user.id, version.template_id, "github");
	struct exemption granted = {0};
	struct exemption found = {0};
	bool is_found = false;
	assert_done(exemption_insert(f->store, f->arena, &given, &granted, &problem), problem);
	assert_string_equal(granted.owner_name, "e-back");
	assert_string_equal(granted.template_name, "te-back");
	assert_string_equal(granted.provider_id, "github");
	assert_string_equal(granted.reason, given.reason);
	assert_string_equal(granted.granted_by_id, ADMIN_ID);
	assert_string_equal(granted.granted_by_name, "root");
	assert_int_equal(granted.expires_at_ms, given.expires_at_ms);
	assert_in_range(granted.created_at_ms, clock_now_ms() - 60000, clock_now_ms() + 1000);
	assert_done(exemption_find(f->store, f->arena, granted.id, &is_found, &found, &problem), problem);
	assert_true(is_found);
	assert_same(&found, &granted);
	assert_done(exemption_find(f->store, f->arena, NOBODY, &is_found, &found, &problem), problem);
	assert_false(is_found);
}

static void one_in_force_is_a_conflict_and_one_that_is_over_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "e-twice");
	struct template_version version = fixture_version(f, "te-twice", "github", "gitlab");
	struct exemption first = grant(f, user.id, version.template_id, "github");
	struct exemption again = wanted(user.id, version.template_id, "github");
	struct exemption second = {0};
	struct exemption found = {0};
	bool is_found = true;
	assert_false(exemption_insert(f->store, f->arena, &again, &second, &problem));
	assert_kind(problem, PROBLEM_CONFLICT);
	grant(f, user.id, version.template_id, "gitlab");
	end(f, first.id);
	again.reason = "once more";
	again.granted_by_id = NULL;
	assert_done(exemption_insert(f->store, f->arena, &again, &second, &problem), problem);
	assert_string_not_equal(second.id, first.id);
	assert_string_equal(second.reason, "once more");
	assert_null(second.granted_by_id);
	assert_done(exemption_find(f->store, f->arena, first.id, &is_found, &found, &problem), problem);
	assert_false(is_found);
}

static void nothing_is_granted_to_nobody(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "e-nobody");
	struct template_version version = fixture_version(f, "te-nobody", "github", NULL);
	const struct exemption tries[] = {
		wanted(NOBODY, version.template_id, "github"),
		wanted(user.id, NOBODY, "github"),
		wanted("00000000-0000-7000-8000-000000000001", version.template_id, "github"),
	};
	for (size_t i = 0; i < COUNT_OF(tries); i++) {
		struct problem problem = {0};
		struct exemption granted = {0};
		assert_false(exemption_insert(f->store, f->arena, &tries[i], &granted, &problem));
		assert_kind(problem, PROBLEM_NOT_FOUND);
	}
}

static void revoked_is_handed_out_and_gone(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "e-gone");
	struct template_version version = fixture_version(f, "te-gone", "github", NULL);
	struct exemption granted = grant(f, user.id, version.template_id, "github");
	struct exemption gone = {0};
	bool found = false;
	assert_done(exemption_delete(f->store, f->arena, granted.id, &found, &gone, &problem), problem);
	assert_true(found);
	assert_same(&gone, &granted);
	assert_done(exemption_delete(f->store, f->arena, granted.id, &found, &gone, &problem), problem);
	assert_false(found);
	grant(f, user.id, version.template_id, "github");
	assert_done(user_delete(f->store, &user, &found, &problem), problem);
	assert_string_equal(fixture_sql(f, arena_printf(f->arena,
						   "SELECT count(*) FROM exemptions WHERE owner_id = '%s'", user.id)),
		"0");
}

static void list_is_narrowed_and_paged(void **state)
{
	struct fixture *f = *state;
	struct user one = fixture_user(f, "e-list-1");
	struct user two = fixture_user(f, "e-list-2");
	struct template_version first = fixture_version(f, "te-list-1", "github", NULL);
	struct template_version second = fixture_version(f, "te-list-2", "github", NULL);
	struct exemption *found = NULL;
	struct exemption oldest = grant(f, one.id, first.template_id, "github");
	grant(f, one.id, second.template_id, "list-only");
	struct exemption newest = grant(f, two.id, first.template_id, "github");
	assert_int_equal(list(f, (struct exemption_filter){.owner = "e-list-1"}, whole, &found), 2);
	assert_same(&found[0], &oldest);
	assert_int_equal(list(f, (struct exemption_filter){.owner = two.id}, whole, &found), 1);
	assert_same(&found[0], &newest);
	assert_int_equal(list(f, (struct exemption_filter){.template = "te-list-1"}, whole, &found), 2);
	assert_int_equal(list(f, (struct exemption_filter){.template = second.template_id}, whole, &found), 1);
	assert_int_equal(list(f, (struct exemption_filter){.provider_id = "list-only"}, whole, &found), 1);
	assert_int_equal(list(f,
				 (struct exemption_filter){
					 .owner = "e-list-1", .template = "te-list-1", .provider_id = "github"},
				 whole, &found),
		1);
	assert_int_equal(list(f, (struct exemption_filter){.owner = "e-nowhere"}, whole, &found), 0);
	assert_int_equal(list(f, (struct exemption_filter){.owner = NOBODY}, whole, &found), 0);
	assert_int_equal(list(f, (struct exemption_filter){.template = NOBODY}, whole, &found), 0);
	const struct exemption_filter of_template = {.template = "te-list-1"};
	assert_int_equal(list(f, of_template, (struct page){"", 1}, &found), 1);
	assert_string_equal(found[0].id, oldest.id);
	assert_int_equal(list(f, of_template, (struct page){oldest.id, 1}, &found), 1);
	assert_string_equal(found[0].id, newest.id);
	assert_int_equal(list(f, of_template, (struct page){newest.id, 1}, &found), 0);
}

static void facts_hold_only_what_is_in_force_for_the_version(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "e-facts");
	struct user other = fixture_user(f, "e-other");
	struct template_version version = fixture_version(f, "te-facts", "github", "gitlab");
	struct template_version elsewhere = fixture_version(f, "te-elsewhere", "github", "gitlab");
	struct create_facts facts = read_facts(f, "e-facts", version.id);
	assert_int_equal(facts.exemption_count, 0);
	struct exemption granted = grant(f, user.id, version.template_id, "github");
	grant(f, user.id, version.template_id, "not-named");
	facts = read_facts(f, "e-facts", version.id);
	assert_int_equal(facts.link_count, 0);
	assert_int_equal(facts.exemption_count, 1);
	assert_null(facts.exemptions[0].granted_by_id);
	facts.exemptions[0].granted_by_id = granted.granted_by_id;
	assert_same(&facts.exemptions[0], &granted);
	assert_int_equal(read_facts(f, other.id, version.id).exemption_count, 0);
	assert_int_equal(read_facts(f, user.id, elsewhere.id).exemption_count, 0);
	end(f, granted.id);
	assert_int_equal(read_facts(f, user.id, version.id).exemption_count, 0);
}

static void facts_tell_links_and_exemptions_apart(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "e-both");
	struct template_version version = fixture_version(f, "te-both", "github", "gitlab");
	fixture_link(f, user.id, "github", "gh-token");
	fixture_link(f, user.id, "gitlab", "gl-token");
	grant(f, user.id, version.template_id, "github");
	grant(f, user.id, version.template_id, "gitlab");
	struct create_facts facts = read_facts(f, user.id, version.id);
	assert_int_equal(facts.link_count, 2);
	assert_int_equal(facts.exemption_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct link *link = &facts.links[i];
		const char *token = strcmp(link->provider_id, "github") == 0 ? "gh-token" : "gl-token";
		assert_true(link->readable);
		assert_string_equal(link->access_token.text, token);
		assert_string_equal(facts.exemptions[i].owner_name, "e-both");
		assert_string_equal(facts.exemptions[i].granted_by_name, "root");
	}
	assert_string_not_equal(facts.exemptions[0].provider_id, facts.exemptions[1].provider_id);
	facts = read_facts(f, user.id, NOBODY);
	assert_false(facts.version_found);
	assert_int_equal(facts.link_count + facts.exemption_count, 0);
}

/* Providers that are named without a version belong to no template, so nobody is exempt from them. */
static void facts_of_named_providers_hold_no_exemption(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "e-named");
	struct template_version version = fixture_version(f, "te-named", "github", NULL);
	struct create_facts facts;
	const struct create_question question = {.owner = user.id, .named = &version.requirements};
	fixture_link(f, user.id, "github", "gh-token");
	grant(f, user.id, version.template_id, "github");
	assert_done(create_facts_read(f->store, f->arena, &question, &facts, &problem), problem);
	assert_int_equal(facts.link_count, 1);
	assert_int_equal(facts.exemption_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exemption_comes_back_as_it_was_granted),
		cmocka_unit_test(one_in_force_is_a_conflict_and_one_that_is_over_is_replaced),
		cmocka_unit_test(nothing_is_granted_to_nobody),
		cmocka_unit_test(revoked_is_handed_out_and_gone),
		cmocka_unit_test(list_is_narrowed_and_paged),
		cmocka_unit_test(facts_hold_only_what_is_in_force_for_the_version),
		cmocka_unit_test(facts_tell_links_and_exemptions_apart),
		cmocka_unit_test(facts_of_named_providers_hold_no_exemption),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
