/* SPDX-License-Identifier: Apache-2.0 */
/* Leases against a real PostgreSQL: every end of every statement, what wins when somebody links again or unlinks at
 * each point between, leases that run out by the database's clock, and takers at the same time. */
#include <stdio.h>
#include <string.h>

#include "../../../gate/base/clock.h"
#include "../../../gate/store/leases.h"
#include "../../../gate/store/links.h"
#include "fixture.h"

#define PROVIDER "forge"
#define LONG_MS 60000
#define SHORT_MS 150
#define COOLDOWN_MS 400

static const uint8_t our_client[SHA256_BYTES] = {1, 2, 3};
static const uint8_t mended_client[SHA256_BYTES] = {9};

/* One owner with one link, and the lease that a test takes of it. */
struct lease_case {
	struct fixture *f;
	const char *owner_id;
	char lease_id[UUID_TEXT_SIZE];
	struct lease_name name;
	struct problem problem;
};

static int64_t save_link(const struct lease_case *c, const char *access, const char *refresh)
{
	struct problem problem = {0};
	int64_t generation = 0;
	struct link_tokens tokens = {
		.owner_id = c->owner_id, .provider_id = PROVIDER, .access_token = fixture_secret(access)};
	if (refresh != NULL)
		tokens.refresh_token = fixture_secret(refresh);
	assert_done(link_save(c->f->store, &tokens, &generation, &problem), problem);
	return generation;
}

static struct lease_case begin(void **state, const char *username)
{
	struct lease_case c = {.f = *state};
	c.owner_id = arena_copy(c.f->arena, fixture_user(c.f, username).id);
	c.name = (struct lease_name){c.owner_id, PROVIDER, save_link(&c, "a1", "r1"), NULL};
	return c;
}

/* Every attempt has an id of its own. */
static struct lease_answer take_as(struct lease_case *c, int64_t lease_ms, const uint8_t *client)
{
	struct lease_answer answer = {0};
	uuid_new(c->lease_id);
	c->name.lease_id = arena_copy(c->f->arena, c->lease_id);
	struct lease_request request = {c->name, lease_ms, COOLDOWN_MS, client};
	assert_done(lease_take(c->f->store, c->f->arena, &request, &answer, &c->problem), c->problem);
	return answer;
}

static struct lease_answer take(struct lease_case *c, int64_t lease_ms)
{
	return take_as(c, lease_ms, our_client);
}

static bool save(struct lease_case *c, const char *access, const char *refresh)
{
	struct lease_grant grant = {.access_token = fixture_secret(access), .expires_at_ms = clock_now_ms() + 3600000};
	bool saved = false;
	if (refresh != NULL)
		grant.refresh_token = fixture_secret(refresh);
	assert_done(lease_save(c->f->store, &c->name, &grant, &saved, &c->problem), c->problem);
	return saved;
}

static bool finish(struct lease_case *c, struct lease_end end)
{
	bool was_ours = false;
	end.failure = "the token endpoint said so";
	assert_done(lease_finish(c->f->store, &c->name, &end, &was_ours, &c->problem), c->problem);
	return was_ours;
}

static const struct lease_end released = {.outcome_known = true, .remembered = REASON_COUNT, .cooldown = REASON_COUNT};

static struct lease_view look(struct lease_case *c)
{
	struct lease_view view = {0};
	bool linked = false;
	assert_done(
		lease_look(c->f->store, c->f->arena, c->owner_id, PROVIDER, &linked, &view, &c->problem), c->problem);
	assert_true(linked);
	return view;
}

static struct link read_link(struct lease_case *c)
{
	struct link link = {0};
	bool found = false;
	assert_done(link_find(c->f->store, c->f->arena, c->owner_id, PROVIDER, &found, &link, &c->problem), c->problem);
	assert_true(found);
	assert_true(link.readable);
	return link;
}

static void unlink_it(struct lease_case *c)
{
	struct link link = {0};
	bool found = false;
	assert_done(
		link_delete(c->f->store, c->f->arena, c->owner_id, PROVIDER, &found, &link, &c->problem), c->problem);
	assert_true(found);
}

static void assert_untouched_by_leases(struct lease_case *c)
{
	struct lease_view view = look(c);
	assert_false(view.held);
	assert_false(view.ran_out);
	assert_null(view.lease_id);
	assert_int_equal(view.unresolved, 0);
	assert_int_equal(view.remembered, REASON_COUNT);
	assert_int_equal(view.cooldown, REASON_COUNT);
	assert_null(view.last_failure);
}

/* --- taking ------------------------------------------------------------------------------------------------------ */

static void taking_journals_and_holds(void **state)
{
	struct lease_case c = begin(state, "take");
	struct lease_answer answer = take(&c, LONG_MS);
	assert_int_equal(answer.state, LEASE_TAKEN);
	assert_int_equal(answer.unresolved, 0);
	struct lease_view view = look(&c);
	assert_true(view.held);
	assert_string_equal(view.lease_id, c.name.lease_id);
	assert_int_equal(view.unresolved, 1);
	assert_true(view.held_left_ms > LONG_MS - 5000 && view.held_left_ms <= LONG_MS);
	assert_int_equal(view.generation, c.name.generation);
}

static void the_same_taker_takes_it_once(void **state)
{
	struct lease_case c = begin(state, "take-twice");
	struct lease_answer answer = take(&c, LONG_MS);
	struct lease_request again = {c.name, LONG_MS, COOLDOWN_MS, our_client};
	assert_done(lease_take(c.f->store, c.f->arena, &again, &answer, &c.problem), c.problem);
	assert_int_equal(answer.state, LEASE_TAKEN);
	assert_int_equal(answer.unresolved, 0);
	assert_int_equal(look(&c).unresolved, 1);
}

static void another_finds_it_held(void **state)
{
	struct lease_case c = begin(state, "held");
	take(&c, LONG_MS);
	struct lease_answer answer = take(&c, LONG_MS);
	assert_int_equal(answer.state, LEASE_HELD);
	assert_true(answer.left_ms > 0 && answer.left_ms <= LONG_MS);
	assert_int_equal(look(&c).unresolved, 1);
}

static void what_is_not_there_has_moved(void **state)
{
	struct lease_case c = begin(state, "moved");
	c.name.generation--;
	assert_int_equal(take(&c, LONG_MS).state, LEASE_MOVED);
	c.name.generation = save_link(&c, "a2", NULL);
	assert_int_equal(take(&c, LONG_MS).state, LEASE_MOVED);
	unlink_it(&c);
	c.name.generation++;
	assert_int_equal(take(&c, LONG_MS).state, LEASE_MOVED);
	c.name.provider_id = "unheard-of";
	assert_int_equal(take(&c, LONG_MS).state, LEASE_MOVED);
}

static void a_lease_that_ran_out_is_taken_and_its_exchange_remembered(void **state)
{
	struct lease_case c = begin(state, "ran-out");
	take(&c, SHORT_MS);
	fixture_pause_ms(2 * SHORT_MS);
	assert_true(look(&c).ran_out);
	struct lease_answer answer = take(&c, SHORT_MS);
	assert_int_equal(answer.state, LEASE_TAKEN);
	assert_int_equal(answer.unresolved, 1);
}

static void after_the_one_more_try_ran_out_too_the_next_waits_for_a_cool_down(void **state)
{
	struct lease_case c = begin(state, "ran-out-twice");
	take(&c, SHORT_MS);
	fixture_pause_ms(2 * SHORT_MS);
	assert_int_equal(take(&c, SHORT_MS).state, LEASE_TAKEN);
	fixture_pause_ms(2 * SHORT_MS);
	struct lease_answer answer = take_as(&c, SHORT_MS, mended_client);
	assert_int_equal(answer.state, LEASE_COOLING);
	assert_int_equal(answer.reason, REASON_PROVIDER_UNAVAILABLE);
	assert_true(answer.left_ms > 0 && answer.left_ms <= COOLDOWN_MS - SHORT_MS);
	assert_int_equal(look(&c).unresolved, 2);
	fixture_pause_ms(COOLDOWN_MS);
	answer = take(&c, SHORT_MS);
	assert_int_equal(answer.state, LEASE_TAKEN);
	assert_int_equal(answer.unresolved, 2);
}

/* --- saving ------------------------------------------------------------------------------------------------------ */

static void saving_moves_the_generation_and_forgets(void **state)
{
	struct lease_case c = begin(state, "save");
	take(&c, SHORT_MS);
	fixture_pause_ms(2 * SHORT_MS);
	take(&c, SHORT_MS);
	assert_true(save(&c, "a2", "r2"));
	struct link link = read_link(&c);
	assert_int_equal(link.generation, c.name.generation + 1);
	assert_string_equal(link.access_token.text, "a2");
	assert_string_equal(link.refresh_token.text, "r2");
	assert_true(link.expires_at_ms > clock_now_ms());
	struct lease_view view = look(&c);
	assert_false(view.held);
	assert_false(view.ran_out);
	assert_int_equal(view.unresolved, 0);
	c.name.generation++;
	assert_int_equal(take(&c, LONG_MS).state, LEASE_TAKEN);
}

static void saving_twice_says_yes_twice(void **state)
{
	struct lease_case c = begin(state, "save-twice");
	take(&c, LONG_MS);
	assert_true(save(&c, "a2", "r2"));
	assert_true(save(&c, "a2", "r2"));
	assert_int_equal(read_link(&c).generation, c.name.generation + 1);
	save_link(&c, "theirs", "r9");
	assert_false(save(&c, "a2", "r2"));
	assert_string_equal(read_link(&c).access_token.text, "theirs");
}

static void an_absent_refresh_token_is_null(void **state)
{
	struct lease_case c = begin(state, "save-none");
	take(&c, LONG_MS);
	assert_true(save(&c, "a2", NULL));
	assert_true(secret_is_empty(read_link(&c).refresh_token));
	assert_string_equal(fixture_sql(c.f, "SELECT count(*) FROM links l JOIN users u ON u.id = l.owner_id "
					     "WHERE u.username = 'save-none' AND l.refresh_token IS NULL"),
		"1");
}

static void a_lease_that_ran_out_still_saves_until_another_takes_it(void **state)
{
	struct lease_case c = begin(state, "late");
	take(&c, SHORT_MS);
	fixture_pause_ms(2 * SHORT_MS);
	assert_true(save(&c, "a2", "r2"));
	c.name.generation++;
	take(&c, SHORT_MS);
	struct lease_name mine = c.name;
	fixture_pause_ms(2 * SHORT_MS);
	assert_int_equal(take(&c, SHORT_MS).state, LEASE_TAKEN);
	struct lease_name theirs = c.name;
	c.name = mine;
	assert_false(save(&c, "late", "late"));
	assert_false(finish(&c, released));
	c.name = theirs;
	assert_string_equal(look(&c).lease_id, theirs.lease_id);
	assert_true(save(&c, "a3", "r3"));
	assert_string_equal(read_link(&c).access_token.text, "a3");
}

/* --- ending without tokens --------------------------------------------------------------------------------------- */

static void releasing_leaves_no_trace_but_the_failure(void **state)
{
	struct lease_case c = begin(state, "release");
	take(&c, LONG_MS);
	assert_true(finish(&c, released));
	struct lease_view view = look(&c);
	assert_false(view.held);
	assert_null(view.lease_id);
	assert_int_equal(view.unresolved, 0);
	assert_string_equal(view.last_failure, "the token endpoint said so");
	assert_true(view.last_failure_at_ms > clock_now_ms() - 60000);
	assert_false(finish(&c, released));
	assert_int_equal(read_link(&c).generation, c.name.generation);
	assert_int_equal(take(&c, LONG_MS).state, LEASE_TAKEN);
}

static void releasing_keeps_what_an_earlier_lease_left(void **state)
{
	struct lease_case c = begin(state, "release-one");
	take(&c, SHORT_MS);
	fixture_pause_ms(2 * SHORT_MS);
	take(&c, SHORT_MS);
	assert_true(finish(&c, released));
	assert_int_equal(look(&c).unresolved, 1);
	assert_int_equal(take(&c, LONG_MS).unresolved, 1);
}

static void a_refusal_is_remembered_until_the_owner_links_again(void **state)
{
	struct lease_case c = begin(state, "refused");
	take(&c, LONG_MS);
	struct lease_end end = {.outcome_known = true, .remembered = REASON_ROTATION_LOST, .cooldown = REASON_COUNT};
	assert_true(finish(&c, end));
	struct link link = read_link(&c);
	assert_int_equal(link.remembered, REASON_ROTATION_LOST);
	assert_string_equal(link.remembered_detail, "the token endpoint said so");
	assert_string_equal(link.refresh_token.text, "r1");
	struct lease_answer answer = take(&c, LONG_MS);
	assert_int_equal(answer.state, LEASE_REMEMBERED);
	assert_int_equal(answer.reason, REASON_ROTATION_LOST);
	assert_int_equal(take_as(&c, LONG_MS, mended_client).state, LEASE_REMEMBERED);
	c.name.generation = save_link(&c, "a2", "r2");
	assert_untouched_by_leases(&c);
	assert_int_equal(take(&c, LONG_MS).state, LEASE_TAKEN);
}

static void a_mended_client_need_not_wait(void **state)
{
	struct lease_case c = begin(state, "operator");
	take(&c, LONG_MS);
	struct lease_end end = {.outcome_known = true,
		.remembered = REASON_COUNT,
		.cooldown = REASON_PROVIDER_MISCONFIGURED,
		.cooldown_ms = LONG_MS,
		.cooldown_client = our_client};
	assert_true(finish(&c, end));
	struct lease_answer answer = take(&c, LONG_MS);
	assert_int_equal(answer.state, LEASE_COOLING);
	assert_int_equal(answer.reason, REASON_PROVIDER_MISCONFIGURED);
	assert_true(answer.left_ms > 0 && answer.left_ms <= LONG_MS);
	assert_int_equal(look(&c).unresolved, 0);
	assert_int_equal(take_as(&c, LONG_MS, mended_client).state, LEASE_TAKEN);
	assert_int_equal(look(&c).cooldown, REASON_COUNT);
}

static void an_ambiguous_end_cools_down_for_every_client(void **state)
{
	struct lease_case c = begin(state, "ambiguous");
	take(&c, LONG_MS);
	struct lease_end end = {.outcome_known = false,
		.remembered = REASON_COUNT,
		.cooldown = REASON_PROVIDER_UNAVAILABLE,
		.cooldown_ms = SHORT_MS};
	assert_true(finish(&c, end));
	assert_int_equal(look(&c).unresolved, 1);
	assert_int_equal(take_as(&c, LONG_MS, mended_client).state, LEASE_COOLING);
	fixture_pause_ms(2 * SHORT_MS);
	struct lease_answer answer = take(&c, LONG_MS);
	assert_int_equal(answer.state, LEASE_TAKEN);
	assert_int_equal(answer.unresolved, 1);
}

static void a_long_failure_is_cut(void **state)
{
	struct lease_case c = begin(state, "long");
	char longest[1000];
	bool was_ours = false;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	take(&c, LONG_MS);
	struct lease_end end = {.outcome_known = true,
		.remembered = REASON_REFRESH_REJECTED,
		.cooldown = REASON_COUNT,
		.failure = longest};
	assert_done(lease_finish(c.f->store, &c.name, &end, &was_ours, &c.problem), c.problem);
	assert_int_equal(strlen(look(&c).last_failure), PROVIDER_ERROR_CHARS_MAX);
	assert_int_equal(strlen(read_link(&c).remembered_detail), PROVIDER_ERROR_CHARS_MAX);
}

/* --- somebody else's state wins ---------------------------------------------------------------------------------- */

enum meddling { RELINK, UNLINK, UNLINK_AND_LINK, MEDDLINGS };

static void meddle(struct lease_case *c, enum meddling how)
{
	if (how != RELINK)
		unlink_it(c);
	if (how != UNLINK)
		save_link(c, "theirs", "theirs");
}

static void assert_theirs(struct lease_case *c, enum meddling how)
{
	struct link link = {0};
	bool found = false;
	assert_done(link_find(c->f->store, c->f->arena, c->owner_id, PROVIDER, &found, &link, &c->problem), c->problem);
	assert_int_equal(found, how != UNLINK);
	if (!found)
		return;
	assert_string_equal(link.access_token.text, "theirs");
	assert_int_equal(link.remembered, REASON_COUNT);
	assert_untouched_by_leases(c);
}

static void who_meddles_before_the_end_wins(void **state)
{
	for (enum meddling how = RELINK; how < MEDDLINGS; how++) {
		for (int with_save = 0; with_save < 2; with_save++) {
			char name[32];
			snprintf(name, sizeof(name), "meddled-%d-%d", (int)how, with_save);
			struct lease_case c = begin(state, name);
			take(&c, LONG_MS);
			meddle(&c, how);
			struct lease_end refused = {
				.outcome_known = true, .remembered = REASON_REFRESH_REJECTED, .cooldown = REASON_COUNT};
			assert_false(with_save ? save(&c, "mine", "mine") : finish(&c, refused));
			assert_theirs(&c, how);
			c.name.generation = save_link(&c, "a9", "r9");
			assert_int_equal(take(&c, LONG_MS).state, LEASE_TAKEN);
		}
	}
}

static void who_meddles_before_the_lease_or_behind_the_save_wins(void **state)
{
	for (enum meddling how = RELINK; how < MEDDLINGS; how++) {
		char name[32];
		snprintf(name, sizeof(name), "around-%d", (int)how);
		struct lease_case c = begin(state, name);
		meddle(&c, how);
		assert_int_equal(take(&c, LONG_MS).state, LEASE_MOVED);
		assert_theirs(&c, how);
		c.name.generation = save_link(&c, "a2", "r2");
		take(&c, LONG_MS);
		assert_true(save(&c, "a3", "r3"));
		meddle(&c, how);
		assert_false(save(&c, "a3", "r3"));
		assert_false(finish(&c, released));
		assert_theirs(&c, how);
	}
}

static void a_removed_owner_saves_nothing(void **state)
{
	struct lease_case c = begin(state, "gone");
	bool found = false;
	take(&c, LONG_MS);
	assert_done(user_delete(c.f->store, &(struct user){.id = c.owner_id, .roles = 1u << ROLE_MEMBER}, &found,
			    &c.problem),
		c.problem);
	assert_false(save(&c, "a2", "r2"));
	assert_false(finish(&c, released));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taking_journals_and_holds),
		cmocka_unit_test(the_same_taker_takes_it_once),
		cmocka_unit_test(another_finds_it_held),
		cmocka_unit_test(what_is_not_there_has_moved),
		cmocka_unit_test(a_lease_that_ran_out_is_taken_and_its_exchange_remembered),
		cmocka_unit_test(after_the_one_more_try_ran_out_too_the_next_waits_for_a_cool_down),
		cmocka_unit_test(saving_moves_the_generation_and_forgets),
		cmocka_unit_test(saving_twice_says_yes_twice),
		cmocka_unit_test(an_absent_refresh_token_is_null),
		cmocka_unit_test(a_lease_that_ran_out_still_saves_until_another_takes_it),
		cmocka_unit_test(releasing_leaves_no_trace_but_the_failure),
		cmocka_unit_test(releasing_keeps_what_an_earlier_lease_left),
		cmocka_unit_test(a_refusal_is_remembered_until_the_owner_links_again),
		cmocka_unit_test(a_mended_client_need_not_wait),
		cmocka_unit_test(an_ambiguous_end_cools_down_for_every_client),
		cmocka_unit_test(a_long_failure_is_cut),
		cmocka_unit_test(who_meddles_before_the_end_wins),
		cmocka_unit_test(who_meddles_before_the_lease_or_behind_the_save_wins),
		cmocka_unit_test(a_removed_owner_saves_nothing),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
