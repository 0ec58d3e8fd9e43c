/* SPDX-License-Identifier: Apache-2.0 */
/* The suites about roles: who may do what. */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "eval.h"
#include "policy.h"

#define WORD(name, word) word,

static const char *const actions[] = {ACTION_LIST(WORD)};
static const char *const actions_or_unknown[] = {ACTION_LIST(WORD) "unknown"};

#undef WORD

/* The set of "member,admin"; "-" is the empty set. */
static role_set parse_roles(const char *text)
{
	role_set roles = 0;
	char *rest = eval_keep(text, strlen(text));
	char *place = NULL;

	if (strcmp(text, "-") == 0)
		return 0;
	for (char *word = strtok_r(rest, ",", &place); word != NULL; word = strtok_r(NULL, ",", &place)) {
		enum role role = role_from_word(word);

		if (role == ROLE_COUNT)
			fail_msg("no role has the word %s", word);
		roles |= 1u << role;
	}
	return roles;
}

static const struct column access_columns[] = {
	WORDS("action", actions),
	ONE_OF("whose", "another", "own"),
	COLUMN("roles", parse_list),
};

/* The roles of the line, each alone, and no other one. */
static void run_access(const struct value *values, size_t count)
{
	(void)count;
	role_set allowed =
		strcmp(values[2].text, "everybody") == 0 ? (1u << ROLE_COUNT) - 1 : parse_roles(values[2].text);

	for (unsigned role = 0; role < ROLE_COUNT; role++) {
		bool got = access_allows(1u << role, (enum action)values[0].number, values[1].number != 0);
		bool wanted = (allowed & 1u << role) != 0;

		if (got != wanted)
			fail_msg("%s: %s", role_word((enum role)role), got ? "allowed" : "denied");
	}
}

const struct suite access_suite = SUITE(access, false);

static const struct column access_set_columns[] = {
	ONE_OF("answer", "denied", "allowed"),
	WORDS("action", actions_or_unknown),
	ONE_OF("whose", "another", "own"),
	COLUMN("roles", parse_list),
};

static void run_access_set(const struct value *values, size_t count)
{
	(void)count;
	role_set roles = parse_roles(values[3].text);
	bool got = access_allows(roles, (enum action)values[1].number, values[2].number != 0);

	assert_string_equal(got ? "allowed" : "denied", values[0].text);
}

const struct suite access_set_suite = SUITE(access_set, false);
