/* SPDX-License-Identifier: Apache-2.0 */
/* The suites about the decision: one finding, all together, and which enforcement is effective. */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "eval.h"
#include "policy.h"

#define WORD(name, word) word,
#define REASON_WORD(name, word, verdict, fixable_by) word,

static const char *const reasons_or_none[] = {REASON_LIST(REASON_WORD) ""};
static const char *const outcomes[] = {OUTCOME_LIST(WORD)};
static const char *const enforcements[] = {ENFORCEMENT_LIST(WORD)};
static const char *const effective_enforcements[] = {"deny", "warn", "dryrun"};
static const char *const moments[] = {MOMENT_LIST(WORD)};
static const char *const fail_modes[] = {FAIL_MODE_LIST(WORD) "unknown"};

#undef WORD
#undef REASON_WORD

static const struct column finding_columns[] = {
	WORDS("found", reasons_or_none),
	ONE_OF("effect", "passes", "warns", "blocks"),
	COLUMN("wait_s", parse_number),
	WORDS("reason", reasons_or_none),
	ONE_OF("need", "required", "optional"),
	WORDS("enforcement", enforcements),
	WORDS("fail_mode", fail_modes),
	COLUMN("confirmed", parse_time),
	COLUMN("max_age", parse_duration),
	COLUMN("asked_wait_s", parse_number),
};

static const char *effect_of(const struct finding *finding)
{
	if (finding->blocks && finding->warns)
		return "both";
	if (finding->blocks)
		return "blocks";
	return finding->warns ? "warns" : "passes";
}

static const char *reason_or_none(enum reason reason)
{
	return reason == REASON_COUNT ? "-" : reason_word(reason);
}

static void run_finding(const struct value *values, size_t count)
{
	(void)count;
	const struct requirement requirement = {.provider_id = "github", .optional = values[4].number != 0};
	const struct judged judged = {
		.requirement = &requirement,
		.reason = (enum reason)values[3].number,
		.enforcement = (enum enforcement)values[5].number,
		.fail_mode = (enum fail_mode)values[6].number,
		.last_valid_at_ms = values[7].number,
		.last_known_good_max_age_ms = values[8].number,
		.retry_after_s = (unsigned)values[9].number,
	};
	struct decision decision;

	decide(&judged, 1, EVAL_NOW_MS, &decision);
	assert_int_equal(decision.finding_count, 1);
	assert_ptr_equal(decision.findings[0].requirement, &requirement);
	assert_int_equal(decision.findings[0].enforcement, judged.enforcement);
	assert_string_equal(reason_or_none(decision.findings[0].reason), values[0].text);
	assert_string_equal(effect_of(&decision.findings[0]), values[1].text);
	assert_int_equal(decision.findings[0].retry_after_s, values[2].number);
	assert_true((decision.outcome == OUTCOME_ALLOWED) == !decision.findings[0].blocks);
}

const struct suite finding_suite = SUITE(finding, false);

static const struct column decide_columns[] = {
	WORDS("outcome", outcomes),
	COLUMN("retry_after_s", parse_number),
	COLUMN("findings", parse_number),
	WORDS("strictly", outcomes),
	COLUMN("judged", parse_list),
};

/* How a provider is judged in decide.eval: "required:not_linked", "optional:provider_unavailable:30" and so on. */
static const struct {
	const char *word;
	bool optional;
	enum enforcement enforcement;
	bool exempt;
} judged_kinds[] = {
	{"required", false, ENFORCEMENT_DENY, false},
	{"optional", true, ENFORCEMENT_DENY, false},
	{"warned", false, ENFORCEMENT_WARN, false},
	{"dryrun", false, ENFORCEMENT_DRYRUN, false},
	{"exempt", false, ENFORCEMENT_DENY, true},
	{"exempt-warned", false, ENFORCEMENT_WARN, true},
	{"exempt-dryrun", false, ENFORCEMENT_DRYRUN, true},
	{"exempt-optional", true, ENFORCEMENT_DENY, true},
};

/* Splits off what stands before the next colon. */
static const char *next_part(char **rest)
{
	char *part = *rest;
	size_t length = strcspn(part, ":");

	*rest = part[length] == ':' ? part + length + 1 : part + length;
	part[length] = '\0';
	return part;
}

static struct judged parse_judged(const char *text, struct requirement *requirement)
{
	char *rest = eval_keep(text, strlen(text));
	const char *kind = next_part(&rest);
	struct judged judged = {.requirement = requirement, .reason = reason_from_word(next_part(&rest))};
	const struct column wait = COLUMN("wait", parse_number);
	struct value wait_s = {.number = 0};
	size_t i = 0;

	while (i < COUNT_OF(judged_kinds) && strcmp(judged_kinds[i].word, kind) != 0)
		i++;
	if (i == COUNT_OF(judged_kinds) || judged.reason == REASON_COUNT)
		fail_msg("unknown word in %s", text);
	if (*rest != '\0' && !parse_number(&wait, rest, &wait_s))
		fail_msg("no number of seconds at the end of %s", text);
	requirement->optional = judged_kinds[i].optional;
	judged.enforcement = judged_kinds[i].enforcement;
	judged.exempt = judged_kinds[i].exempt;
	judged.retry_after_s = (unsigned)wait_s.number;
	return judged;
}

static void run_decide(const struct value *values, size_t count)
{
	struct requirement requirements[COLUMNS_MAX] = {0};
	struct judged judged[COLUMNS_MAX];
	struct decision decision;
	size_t judged_count = 0;

	for (size_t i = 4; i < count; i++) {
		if (strcmp(values[i].text, "nobody") == 0)
			continue;
		judged[judged_count] = parse_judged(values[i].text, &requirements[judged_count]);
		judged_count++;
	}
	decide(judged, judged_count, EVAL_NOW_MS, &decision);
	assert_string_equal(outcome_word(decision.outcome), values[0].text);
	assert_int_equal(decision.retry_after_s, values[1].number);
	assert_int_equal(decision.finding_count, values[2].number);
	assert_string_equal(outcome_word(decision.strict_outcome), values[3].text);
	for (size_t i = 0; i < decision.finding_count; i++)
		assert_ptr_equal(decision.findings[i].requirement, &requirements[i]);
}

const struct suite decide_suite = SUITE(decide, true);

static const struct column enforcement_columns[] = {
	WORDS("effective", effective_enforcements),
	WORDS("moment", moments),
	COLUMN("provider", parse_text),
	COLUMN("template", parse_text),
	COLUMN("deployment", parse_text),
};

static struct enforcement_setting setting_of(const struct value *value)
{
	struct enforcement_setting setting;

	if (!enforcement_setting_read(value->text, &setting))
		fail_msg("%s is no setting", value->text);
	return setting;
}

static void run_enforcement(const struct value *values, size_t count)
{
	(void)count;
	const struct enforcement_setting provider = setting_of(&values[2]);
	const struct enforcement_setting template = setting_of(&values[3]);
	const struct enforcement_setting deployment = setting_of(&values[4]);
	enum enforcement effective =
		enforcement_effective(&provider, &template, &deployment, (enum moment)values[1].number);

	assert_string_equal(enforcement_word(effective), values[0].text);
}

const struct suite enforcement_suite = SUITE(enforcement, false);

static const struct column enforcement_setting_columns[] = {
	ONE_OF("answer", "read", "refused"),
	COLUMN("text", parse_text),
	WORDS("general", enforcements),
	WORDS("create", enforcements),
	WORDS("start", enforcements),
	WORDS("autostart", enforcements),
	WORDS("claim", enforcements),
	WORDS("acquire", enforcements),
};

static void run_enforcement_setting(const struct value *values, size_t count)
{
	(void)count;
	struct enforcement_setting setting;
	bool lawful = enforcement_setting_read(values[1].text, &setting);

	assert_string_equal(lawful ? "read" : "refused", values[0].text);
	assert_int_equal(setting.general, values[2].number);
	for (size_t i = 0; i < MOMENT_PREFLIGHT; i++)
		assert_int_equal(setting.at[i], values[3 + i].number);
	assert_int_equal(setting.at[MOMENT_PREFLIGHT], ENFORCEMENT_INHERIT);
}

const struct suite enforcement_setting_suite = SUITE(enforcement_setting, false);
