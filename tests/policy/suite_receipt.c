/* SPDX-License-Identifier: Apache-2.0 */
/* The suite about receipts: what was signed, what stands now, and what follows. */
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "eval.h"
#include "policy.h"

#define LINKS_MAX_IN_A_CASE 8
#define FIRST_LINK 5

#define WORD(name, word) word,
static const char *const receipt_reasons[] = {RECEIPT_REASON_LIST(WORD)};
static const char *const receipt_readings[] = {RECEIPT_REASON_LIST(WORD) "unknown"};
#undef WORD

/* "3:4": signed at generation 3, stands at 4; "3:-": not linked any more; "-" is no link. */
static bool parse_link(const struct column *column, const char *text, struct value *ret_value)
{
	char *end = NULL;

	(void)column;
	*ret_value = (struct value){.text = "", .number = 0};
	if (strcmp(text, "-") == 0)
		return true;
	ret_value->number = strtoll(text, &end, 10);
	if (end == text || *end != ':' || end[1] == '\0')
		return false;
	ret_value->text = end + 1;
	return true;
}

static const struct column judge_receipt_columns[] = {
	WORDS("reason", receipt_reasons),
	WORDS("read", receipt_readings),
	COLUMN("expires", parse_time),
	ONE_OF("owner", "unnamed", "unnamed_active", "unnamed_suspended", "gone", "active", "suspended"),
	ONE_OF("version", "unnamed", "gone", "lawful", "archived"),
	COLUMN("links", parse_link),
};

enum owner_word { OWNER_UNNAMED, OWNER_UNNAMED_ACTIVE, OWNER_UNNAMED_SUSPENDED, OWNER_GONE, OWNER_ACTIVE };

static void run_judge_receipt(const struct value *values, size_t count)
{
	struct receipt_link links[LINKS_MAX_IN_A_CASE];
	int64_t owner = values[3].number;
	int64_t version = values[4].number;
	struct receipt_facts facts = {
		.read = (enum receipt_reason)values[1].number,
		.expires_at_ms = values[2].number,
		.owner_named = owner >= OWNER_GONE,
		.owner_found = owner != OWNER_UNNAMED && owner != OWNER_GONE,
		.owner_suspended = owner == OWNER_UNNAMED_SUSPENDED || owner > OWNER_ACTIVE,
		.version_named = version > 0,
		.version_found = version > 1,
		.version_archived = version > 2,
		.links = links,
	};

	assert_in_range(count - FIRST_LINK, 0, LINKS_MAX_IN_A_CASE);
	for (size_t i = FIRST_LINK; i < count; i++)
		if (*values[i].text != '\0')
			links[facts.link_count++] = (struct receipt_link){
				.relied_on = values[i].number, .stands = strtoll(values[i].text, NULL, 10)};
	assert_string_equal(receipt_reason_word(judge_receipt(&facts, EVAL_NOW_MS)), receipt_reasons[values[0].number]);
}

const struct suite judge_receipt_suite = SUITE(judge_receipt, true);
