/* SPDX-License-Identifier: Apache-2.0 */
/* Owners by class: what is stored of each is told, everybody is counted once, and nobody who has no workspace. */
#include <stdio.h>
#include <string.h>

#include "../../../gate/base/clock.h"
#include "../../../gate/base/text.h"
#include "../../../gate/store/impact.h"
#include "must_check.h"

#include "fixture.h"

#define PREBUILDS "00000000-0000-7000-8000-000000000001"

/* A provider's letters as impact_read.sql writes them; - for none. */
static void describe_link(struct text *text, const struct impact_link *link)
{
	size_t before = text->size;

	text_add(text, link->linked ? "l" : "");
	text_add(text, link->has_refresh_token ? "r" : "");
	text_add(text, link->expired ? "e" : "");
	text_add(text, link->confirmed ? "v" : "");
	text_add(text, link->remembered == REASON_REFRESH_REJECTED ? "j" : "");
	text_add(text, link->remembered == REASON_ROTATION_LOST ? "o" : "");
	text_add(text, link->exempt ? "x" : "");
	text_add(text, text->size == before ? "-" : "");
}

static const char *describe(
	const struct fixture *f, const struct impact_class *class, const struct requirements *requirements)
{
	struct text text = text_in(f->arena);

	text_add(&text, class->suspended ? "suspended " : "");
	for (size_t i = 0; i < requirements->count; i++) {
		text_add(&text, i > 0 ? "," : "");
		describe_link(&text, &class->links[i]);
	}
	for (size_t i = requirements->count; i < REQUIREMENTS_MAX; i++)
		assert_true(!class->links[i].linked && !class->links[i].exempt);
	return text.bytes;
}

/* How many owners the template has whose class is described so; NULL: in all. */
static int64_t count(const struct fixture *f, const struct template_version *version, const char *described)
{
	struct problem problem = {0};
	const struct impact_question question = {
		.template_id = version->template_id,
		.requirements = &version->requirements,
		.now_ms = clock_now_ms(),
	};
	SCOPED(impact_classes_release) struct impact_classes *classes = NULL;
	struct impact_class class;
	int64_t owners = 0;

	assert_done(impact_read(f->store, f->arena, &question, &classes, &problem), problem);
	while (impact_next(classes, &class))
		if (described == NULL || strcmp(describe(f, &class, &version->requirements), described) == 0)
			owners += class.owners;
	assert_false(impact_next(classes, &class));
	return owners;
}

static void add_workspace(const struct fixture *f, const char *owner_id, const char *version_id, const char *name)
{
	fixture_sql(f, arena_printf(f->arena,
			       "INSERT INTO workspaces (id, owner_id, name, template_version_id) "
			       "VALUES (gen_random_uuid(), '%s', '%s', '%s')",
			       owner_id, name, version_id));
}

static struct user add_owner(const struct fixture *f, const struct template_version *version, const char *username)
{
	struct user user = fixture_user(f, username);

	add_workspace(f, user.id, version->id, "dev");
	return user;
}

/* columns and values of a link's row beside its owner. */
static void add_link(const struct fixture *f, const char *owner_id, const char *columns, const char *values)
{
	fixture_sql(f, arena_printf(f->arena, "INSERT INTO links (owner_id, provider_id, %s) VALUES ('%s', %s)",
			       columns, owner_id, values));
}

static void each_class_is_told(void **state)
{
	static const struct {
		const char *username;
		const char *columns; /* NULL: no row */
		const char *values;
		const char *described;
	} cases[] = {
		{"i-none", NULL, NULL, "-,-"},
		{"i-emptied", "expires_at, last_valid_at, remembered_reason",
			"'github', now() - interval '1 h', now(), 'refresh_rejected'", "-,-"},
		{"i-live", "access_token", "'github', 'a'", "l,-"},
		{"i-valid", "access_token, last_valid_at", "'github', 'a', now() - interval '1 y'", "lv,-"},
		{"i-lives", "access_token, refresh_token, expires_at", "'github', 'a', 'r', now() + interval '1 h'",
			"lr,-"},
		{"i-expired", "access_token, expires_at", "'github', 'a', now() - interval '1 s'", "le,-"},
		{"i-renewable", "access_token, refresh_token, expires_at, last_valid_at",
			"'github', 'a', 'r', now() - interval '1 s', now() - interval '1 h'", "lrev,-"},
		{"i-rejected", "access_token, refresh_token, expires_at, remembered_reason",
			"'github', 'a', 'r', now() - interval '1 s', 'refresh_rejected'", "lrej,-"},
		{"i-lost", "access_token, refresh_token, expires_at, remembered_reason",
			"'github', 'a', 'r', now() - interval '1 s', 'rotation_lost'", "lreo,-"},
		{"i-optional", "access_token", "'gitlab', 'a'", "-,l"},
		{"i-other", "access_token", "'gitea', 'a'", "-,-"},
	};
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "ti-each", "github", "gitlab");

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct user user = add_owner(f, &version, cases[i].username);

		if (cases[i].columns != NULL)
			add_link(f, user.id, cases[i].columns, cases[i].values);
	}
	assert_int_equal(count(f, &version, NULL), COUNT_OF(cases));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t expected = 0;

		for (size_t k = 0; k < COUNT_OF(cases); k++)
			expected += strcmp(cases[k].described, cases[i].described) == 0;
		assert_int_equal(count(f, &version, cases[i].described), expected);
	}
}

static void two_links_of_one_owner_are_one_class(void **state)
{
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "ti-both", "github", "gitlab");
	struct user user = add_owner(f, &version, "i-both");

	/* The later one in the version's order first. */
	fixture_link(f, user.id, "gitlab", "b");
	add_link(f, user.id, "access_token, last_valid_at", "'github', 'a', now()");
	assert_int_equal(count(f, &version, "lv,l"), 1);
	assert_int_equal(count(f, &version, NULL), 1);
}

static void owners_are_counted_once_and_only_with_workspaces(void **state)
{
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "ti-once", "github", NULL);
	struct template_version other = fixture_version(f, "ti-other", "github", NULL);
	struct template_version second;
	struct problem problem = {0};
	bool found = false;

	assert_int_equal(count(f, &version, NULL), 0);
	assert_done(version_insert(f->store, f->arena, version.template_id, &version.requirements, false, &found,
			    &second, &problem),
		problem);
	struct user many = add_owner(f, &version, "i-many");
	add_workspace(f, many.id, version.id, "dev-2");
	add_workspace(f, many.id, second.id, "dev-3");
	struct user gone = add_owner(f, &version, "i-gone");
	fixture_sql(
		f, arena_printf(f->arena, "UPDATE workspaces SET deleted_at = now() WHERE owner_id = '%s'", gone.id));
	add_workspace(f, PREBUILDS, version.id, "prebuild-1");
	add_owner(f, &other, "i-elsewhere");
	assert_int_equal(count(f, &version, NULL), 1);
	assert_int_equal(count(f, &second, NULL), 1);
	add_workspace(f, gone.id, second.id, "dev");
	assert_int_equal(count(f, &version, "-"), 2);
}

static void suspended_owners_are_told_apart(void **state)
{
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "ti-suspended", "github", NULL);
	struct user user = add_owner(f, &version, "i-suspended");

	add_owner(f, &version, "i-active");
	fixture_link(f, user.id, "github", "t");
	fixture_sql(f, "UPDATE users SET status = 'suspended' WHERE username = 'i-suspended'");
	assert_int_equal(count(f, &version, "suspended l"), 1);
	assert_int_equal(count(f, &version, "-"), 1);
}

static void add_exemption(const struct fixture *f, const char *owner_id, const struct template_version *version,
	const char *provider, const char *until)
{
	fixture_sql(f, arena_printf(f->arena,
			       "INSERT INTO exemptions (id, owner_id, template_id, provider_id, reason, "
			       "granted_by_name, expires_at) VALUES (gen_random_uuid(), '%s', '%s', '%s', 'r', "
			       "'admin', now() + interval '%s')",
			       owner_id, version->template_id, provider, until));
}

static void exemptions_count_while_they_are_in_force_on_this_template(void **state)
{
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "ti-exempt", "github", "gitlab");
	struct template_version other = fixture_version(f, "ti-exempt-not", "github", NULL);
	struct user linked = add_owner(f, &version, "i-exempt-linked");
	struct user without = add_owner(f, &version, "i-exempt");
	struct user over = add_owner(f, &version, "i-exempt-over");
	struct user elsewhere = add_owner(f, &version, "i-exempt-else");

	fixture_link(f, linked.id, "gitlab", "t");
	add_exemption(f, linked.id, &version, "github", "1 h");
	add_exemption(f, linked.id, &version, "gitlab", "1 h");
	add_exemption(f, without.id, &version, "github", "1 h");
	add_exemption(f, over.id, &version, "github", "-1 s");
	add_exemption(f, elsewhere.id, &other, "github", "1 h");
	add_exemption(f, elsewhere.id, &version, "gitea", "1 h");
	assert_int_equal(count(f, &version, "x,lx"), 1);
	assert_int_equal(count(f, &version, "x,-"), 1);
	assert_int_equal(count(f, &version, "-,-"), 2);
}

static void a_version_without_requirements_has_owners_all_the_same(void **state)
{
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "ti-bare", NULL, NULL);
	struct user user = add_owner(f, &version, "i-bare");

	fixture_link(f, user.id, "github", "t");
	assert_int_equal(count(f, &version, ""), 1);
}

static void the_last_of_as_many_providers_as_there_may_be_is_told(void **state)
{
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "ti-wide", NULL, NULL);
	struct user user = add_owner(f, &version, "i-wide");
	char id[16];

	for (int i = 1; i <= REQUIREMENTS_MAX; i++) {
		(void)snprintf(id, sizeof(id), "p%d", i);
		assert_true(requirements_add(&version.requirements, id, false));
	}
	fixture_link(f, user.id, id, "t");
	fixture_link(f, user.id, "p10", "t");
	assert_int_equal(count(f, &version, "-,-,-,-,-,-,-,-,-,l,-,-,-,-,-,-,-,-,-,-,-,-,-,-,-,-,-,-,-,-,-,l"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_class_is_told),
		cmocka_unit_test(two_links_of_one_owner_are_one_class),
		cmocka_unit_test(owners_are_counted_once_and_only_with_workspaces),
		cmocka_unit_test(suspended_owners_are_told_apart),
		cmocka_unit_test(exemptions_count_while_they_are_in_force_on_this_template),
		cmocka_unit_test(a_version_without_requirements_has_owners_all_the_same),
		cmocka_unit_test(the_last_of_as_many_providers_as_there_may_be_is_told),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
