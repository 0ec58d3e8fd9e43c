/* SPDX-License-Identifier: Apache-2.0 */
/* One suite for each question of include/policy.h: its columns, and how it asks the policy and compares the answer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "eval.h"
#include "must_check.h"
#include "policy.h"

#define WORD(name, word) word,
#define REASON_WORD(name, word, verdict, fixable_by) word,

static const char *const verdicts[] = {VERDICT_LIST(WORD)};
static const char *const fixers[] = {FIXABLE_BY_LIST(WORD)};
static const char *const reasons[] = {REASON_LIST(REASON_WORD)};
static const char *const reasons_or_none[] = {REASON_LIST(REASON_WORD) ""};
static const char *const outcomes[] = {OUTCOME_LIST(WORD)};
static const char *const enforcements[] = {ENFORCEMENT_LIST(WORD)};
static const char *const effective_enforcements[] = {"", "deny", "warn", "dryrun"};
static const char *const fail_modes[] = {FAIL_MODE_LIST(WORD) "unknown"};
static const char *const validations_or_unknown[] = {VALIDATION_LIST(WORD) "unknown"};
static const char *const judgements[] = {"", "confirmed", "rejected", "rate_limited", "unavailable"};
static const char *const refresh_ends[] = {REFRESH_END_LIST(WORD)};
static const char *const steps[] = {STEP_LIST(WORD)};
static const char *const transports[] = {TRANSPORT_LIST(WORD) "unknown"};
static const char *const grant_classes[] = {GRANT_CLASS_LIST(WORD)};
static const char *const actions[] = {ACTION_LIST(WORD)};
static const char *const actions_or_unknown[] = {ACTION_LIST(WORD) "unknown"};

#undef WORD
#undef REASON_WORD

#define WORDS(column_name, list) {.name = column_name, .parse = parse_word, .words = list, .word_count = COUNT_OF(list)}
#define ONE_OF(column_name, ...)                                                                                       \
	{.name = column_name, .parse = parse_word, .words = (const char *const[]){__VA_ARGS__},                        \
		.word_count = COUNT_OF(((const char *const[]){__VA_ARGS__}))}
#define COLUMN(column_name, how) {.name = column_name, .parse = how}

/* --- next_step ---------------------------------------------------------------------------------------------------- */

static const struct column next_step_columns[] = {
	WORDS("step", steps),
	WORDS("reason", reasons_or_none),
	ONE_OF("link", "none", "sealed", "access_only", "refreshable"),
	WORDS("remembered", reasons_or_none),
	COLUMN("issued", parse_time),
	COLUMN("expires", parse_time),
	COLUMN("confirmed", parse_time),
	ONE_OF("provider", "neither", "validates", "refreshes", "both"),
	COLUMN("min_valid", parse_duration),
	COLUMN("max_age", parse_duration),
	WORDS("refresh", refresh_ends),
	WORDS("validation", validations_or_unknown),
	ONE_OF("link_again", "-", "reread"),
	COLUMN("clock", parse_time),
};

static void run_next_step(const struct value *values, size_t count)
{
	(void)count;
	const struct link_facts facts = {
		.linked = values[2].number >= 1,
		.readable = values[2].number >= 2,
		.has_refresh_token = values[2].number == 3,
		.remembered = (enum reason)values[3].number,
		.issued_at_ms = values[4].number,
		.expires_at_ms = values[5].number,
		.last_valid_at_ms = values[6].number,
	};
	const struct provider_rules rules = {
		.validates = (values[7].number & 1) != 0,
		.refreshes = (values[7].number & 2) != 0,
		.min_valid_ms = values[8].number,
		.verdict_age_max_ms = values[9].number,
	};
	const struct progress progress = {
		.refresh = (enum refresh_end)values[10].number,
		.validation = (enum validation)values[11].number,
		.reread = values[12].number != 0,
	};
	struct step step = next_step(&facts, &rules, &progress, values[13].number);

	assert_string_equal(step_word(step.kind), values[0].text);
	assert_string_equal(step.reason == REASON_COUNT ? "-" : reason_word(step.reason), values[1].text);
}

/* --- judgements --------------------------------------------------------------------------------------------------- */

static const struct column judge_validation_columns[] = {
	WORDS("judgement", judgements),
	WORDS("transport", transports),
	COLUMN("status", parse_number),
	ONE_OF("retry_after", "-", "retry_after"),
	ONE_OF("remaining", "-", "exhausted"),
};

static void run_judge_validation(const struct value *values, size_t count)
{
	(void)count;
	const struct validation_answer answer = {
		.transport = (enum transport)values[1].number,
		.status = (int)values[2].number,
		.has_retry_after = values[3].number != 0,
		.rate_limit_exhausted = values[4].number != 0,
	};

	assert_string_equal(validation_word(judge_validation(&answer)), values[0].text);
}

static const struct column judge_refresh_columns[] = {
	WORDS("class", grant_classes),
	WORDS("transport", transports),
	COLUMN("status", parse_number),
	ONE_OF("token", "-", "access_token"),
	COLUMN("error", parse_text),
};

static void run_judge_refresh(const struct value *values, size_t count)
{
	(void)count;
	bool is_null = strcmp(values[4].text, "NULL") == 0;
	const struct token_answer answer = {
		.transport = (enum transport)values[1].number,
		.status = (int)values[2].number,
		.has_access_token = values[3].number != 0,
		.error = is_null ? NULL : values[4].text,
	};

	assert_string_equal(grant_class_word(judge_refresh(&answer)), values[0].text);
}

/* --- decide: one finding, all together, which enforcement --------------------------------------------------------- */

static const struct column finding_columns[] = {
	WORDS("found", reasons),
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
	assert_string_equal(reason_word(decision.findings[0].reason), values[0].text);
	assert_string_equal(effect_of(&decision.findings[0]), values[1].text);
	assert_int_equal(decision.findings[0].retry_after_s, values[2].number);
	assert_true((decision.outcome == OUTCOME_ALLOWED) == !decision.findings[0].blocks);
}

static const struct column decide_columns[] = {
	WORDS("outcome", outcomes),
	COLUMN("retry_after_s", parse_number),
	COLUMN("findings", parse_number),
	COLUMN("judged", parse_list),
};

/* How a provider is judged in decide.eval: "required:not_linked", "optional:provider_unavailable:30" and so on. */
static const struct {
	const char *word;
	bool optional;
	enum enforcement enforcement;
} judged_kinds[] = {
	{"required", false, ENFORCEMENT_DENY},
	{"optional", true, ENFORCEMENT_DENY},
	{"warned", false, ENFORCEMENT_WARN},
	{"dryrun", false, ENFORCEMENT_DRYRUN},
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
	judged.retry_after_s = (unsigned)wait_s.number;
	return judged;
}

static void run_decide(const struct value *values, size_t count)
{
	struct requirement requirements[COLUMNS_MAX] = {0};
	struct judged judged[COLUMNS_MAX];
	struct decision decision;
	size_t judged_count = 0;

	for (size_t i = 3; i < count; i++) {
		if (strcmp(values[i].text, "nobody") == 0)
			continue;
		judged[judged_count] = parse_judged(values[i].text, &requirements[judged_count]);
		judged_count++;
	}
	decide(judged, judged_count, EVAL_NOW_MS, &decision);
	assert_string_equal(outcome_word(decision.outcome), values[0].text);
	assert_int_equal(decision.retry_after_s, values[1].number);
	assert_int_equal(decision.finding_count, values[2].number);
	for (size_t i = 0; i < decision.finding_count; i++)
		assert_ptr_equal(decision.findings[i].requirement, &requirements[i]);
}

static const struct column enforcement_columns[] = {
	WORDS("effective", effective_enforcements),
	WORDS("provider", enforcements),
	WORDS("template", enforcements),
	WORDS("deployment", enforcements),
};

static void run_enforcement(const struct value *values, size_t count)
{
	(void)count;
	enum enforcement effective = enforcement_effective((enum enforcement)values[1].number,
		(enum enforcement)values[2].number, (enum enforcement)values[3].number);

	assert_string_equal(enforcement_word(effective), values[0].text);
}

/* --- access ------------------------------------------------------------------------------------------------------- */

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
	role_set allowed = strcmp(values[2].text, "everybody") == 0 ? (1u << ROLE_COUNT) - 1 :
								      parse_roles(values[2].text);

	for (unsigned role = 0; role < ROLE_COUNT; role++) {
		bool got = access_allows(1u << role, (enum action)values[0].number, values[1].number != 0);
		bool wanted = (allowed & 1u << role) != 0;

		if (got != wanted)
			fail_msg("%s: %s", role_word((enum role)role), got ? "allowed" : "denied");
	}
}

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

/* --- requirements ------------------------------------------------------------------------------------------------- */

static const struct column requirements_columns[] = {
	ONE_OF("last", "refused", "added"),
	COLUMN("count", parse_number),
	COLUMN("list", parse_list),
	COLUMN("adds", parse_text),
};

/* "github?" is optional. */
static bool add_requirement(struct requirements *requirements, const char *text)
{
	size_t length = strlen(text);
	bool is_optional = length > 0 && text[length - 1] == '?';

	return requirements_add(requirements, eval_keep(text, length - is_optional), is_optional);
}

/* "fill:N" adds p0, p1, … so that N are in the list. */
static bool fill_requirements(struct requirements *requirements, const char *number)
{
	bool is_added = true;
	size_t wanted = strtoul(number, NULL, 10);

	for (size_t i = 0; is_added && requirements->count < wanted; i++) {
		char id[16];

		snprintf(id, sizeof(id), "p%zu", i);
		is_added = requirements_add(requirements, id, false);
	}
	return is_added;
}

static void run_requirements(const struct value *values, size_t count)
{
	struct requirements requirements = {0};
	char list[4096] = "";
	bool is_added = false;

	for (size_t i = 3; i < count; i++) {
		if (i > 3)
			assert_true(is_added);
		is_added = strncmp(values[i].text, "fill:", 5) == 0 ?
			fill_requirements(&requirements, values[i].text + 5) :
			add_requirement(&requirements, values[i].text);
	}
	for (size_t i = 0; i < requirements.count; i++) {
		const struct requirement *added = &requirements.list[i];
		size_t length = strlen(list);

		snprintf(list + length, sizeof(list) - length, "%s%s%s", i > 0 ? "," : "", added->provider_id,
			added->optional ? "?" : "");
	}
	assert_string_equal(is_added ? "added" : "refused", values[0].text);
	assert_int_equal(requirements.count, values[1].number);
	if (strcmp(values[2].text, "any") != 0)
		assert_string_equal(*list != '\0' ? list : "-", values[2].text);
}

/* --- names and words ---------------------------------------------------------------------------------------------- */

static const struct {
	const char *kind;
	bool (*is_lawful)(const char *text);
} name_kinds[] = {
	{"provider_id", name_is_provider_id},
	{"workspace", name_is_workspace},
	{"user", name_is_user},
	{"template", name_is_template},
	{"uuid", name_is_uuid},
	{"email", name_is_email},
	{"request_id", name_is_request_id},
	{"local_path", name_is_local_path},
	{"provider_url", name_is_provider_url},
};

static const struct column names_columns[] = {
	ONE_OF("answer", "unlawful", "lawful"),
	ONE_OF("kind", "provider_id", "workspace", "user", "template", "uuid", "email", "request_id", "local_path",
		"provider_url"),
	COLUMN("text", parse_text),
};

static void run_names(const struct value *values, size_t count)
{
	(void)count;
	size_t kind = (size_t)values[1].number;

	assert_string_equal(name_kinds[kind].kind, values[1].text);
	assert_string_equal(name_kinds[kind].is_lawful(values[2].text) ? "lawful" : "unlawful", values[0].text);
}

static const struct column reasons_columns[] = {
	WORDS("reason", reasons),
	WORDS("verdict", verdicts),
	WORDS("fixable_by", fixers),
};

static void run_reasons(const struct value *values, size_t count)
{
	(void)count;
	enum reason reason = (enum reason)values[0].number;
	const char *fixable_by = fixable_by_word(reason_fixable_by(reason));
	const char *sentence = reason_sentence(reason);

	assert_int_equal(reason_from_word(values[0].text), reason);
	assert_string_equal(reason_word(reason), values[0].text);
	assert_string_equal(verdict_word(reason_verdict(reason)), values[1].text);
	assert_string_equal(*fixable_by != '\0' ? fixable_by : "-", values[2].text);
	assert_true(strlen(sentence) > 20 && sentence[strlen(sentence) - 1] == '.');
	assert_true(strstr(sentence, "connect the account") == NULL || reason_fixable_by(reason) == FIXABLE_BY_OWNER);
}

static const struct column words_columns[] = {
	ONE_OF("answer", "unknown", "known"),
	ONE_OF("kind", "reason", "enforcement", "fail_mode", "role", "action"),
	COLUMN("word", parse_text),
};

/* The word of the value that the word names: the same word, or none. */
static const char *there_and_back(const char *kind, const char *word)
{
	if (strcmp(kind, "reason") == 0)
		return reason_word(reason_from_word(word));
	if (strcmp(kind, "enforcement") == 0)
		return enforcement_word(enforcement_from_word(word));
	if (strcmp(kind, "fail_mode") == 0)
		return fail_mode_word(fail_mode_from_word(word));
	if (strcmp(kind, "role") == 0)
		return role_word(role_from_word(word));
	return action_word(action_from_word(word));
}

/* "" comes back for ENFORCEMENT_INHERIT as well, so the empty word is held to the value itself. */
static void run_words(const struct value *values, size_t count)
{
	(void)count;
	bool is_known = strcmp(values[0].text, "known") == 0;

	assert_string_equal(there_and_back(values[1].text, values[2].text), is_known ? values[2].text : "");
	assert_int_equal(enforcement_from_word(""), ENFORCEMENT_COUNT);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

#define SUITE(suite_name, repeats)                                                                                     \
	{.name = #suite_name, .columns = suite_name##_columns, .column_count = COUNT_OF(suite_name##_columns),         \
		.last_repeats = repeats, .run = run_##suite_name}

const struct suite eval_suites[] = {
	SUITE(next_step, false),
	SUITE(judge_validation, false),
	SUITE(judge_refresh, false),
	SUITE(finding, false),
	SUITE(decide, true),
	SUITE(enforcement, false),
	SUITE(access, false),
	SUITE(access_set, false),
	SUITE(requirements, true),
	SUITE(names, false),
	SUITE(reasons, false),
	SUITE(words, false),
};
const size_t eval_suite_count = COUNT_OF(eval_suites);
