/* SPDX-License-Identifier: Apache-2.0 */
/* Device codes: see device_grants.h. */
#include "device_grants.h"

#include <string.h>

#include "bounds.h"

/* Lets secret scanners tell what leaked. */
#define CODE_PREFIX "ghd_"

/* Without 0 O 1 I L. Random bytes below a multiple of the count are taken, so that each symbol is as likely. */
static const char symbols[] = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
#define SYMBOL_COUNT (sizeof(symbols) - 1)
#define SYMBOL_BYTE_END (256 - 256 % SYMBOL_COUNT)
#define USER_CODE_CHARS 8
#define USER_CODE_SIZE (USER_CODE_CHARS + 1)
_Static_assert(SYMBOL_COUNT == 31, "39.6 bits are what the bounds on wrong codes are made for");

/* Two codes of 39.6 bits meet once in a billion times a thousand live ones; twice in a row never. */
#define INSERT_ROUNDS_MAX 3

/* A NUL between the purpose and the code: no other hash in the database is made so. */
#define USER_CODE_PURPOSE "user code"

static void hash_user_code(const char code[USER_CODE_SIZE], uint8_t ret_hash[SHA256_BYTES])
{
	char text[sizeof(USER_CODE_PURPOSE) + USER_CODE_CHARS] = USER_CODE_PURPOSE;
	memcpy(text + sizeof(USER_CODE_PURPOSE), code, USER_CODE_CHARS);
	sha256(text, sizeof(text), ret_hash);
	explicit_bzero(text, sizeof(text));
}

static void hash_device_code(const char *code, uint8_t ret_hash[SHA256_BYTES])
{
	sha256(code, strlen(code), ret_hash);
}

/* --- a new code --------------------------------------------------------------------------------------------------- */

static void draw_user_code(char ret_code[USER_CODE_SIZE])
{
	size_t count = 0;
	while (count < USER_CODE_CHARS) {
		uint8_t byte = 0;
		random_bytes(&byte, 1);
		if (byte < SYMBOL_BYTE_END)
			ret_code[count++] = symbols[byte % SYMBOL_COUNT];
	}
	ret_code[count] = '\0';
}

static const char *show_user_code(struct arena *arena, const char code[USER_CODE_SIZE])
{
	return arena_printf(arena, "%.4s-%.4s", code, code + 4);
}

/* It is shown to a person, and whoever sent it may have meant to draw a picture: printable ASCII, cut. */
static const char *plain_agent(struct arena *arena, const char *agent)
{
	char *plain = arena_copy_bytes(
		arena, agent == NULL ? "" : agent, agent == NULL ? 0 : strnlen(agent, DEVICE_AGENT_BYTES_MAX));
	for (char *c = plain; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return plain;
}

struct new_grant {
	const struct device_request *request;
	char id[UUID_TEXT_SIZE];
	uint8_t code_hash[SHA256_BYTES];
	uint8_t user_code_hash[SHA256_BYTES];
};

/* *ret_met: another code is the same. */
static bool insert_grant(struct store *store, struct arena *arena, const struct new_grant *grant, bool *ret_met,
	bool *ret_given, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_DEVICE_GRANT_INSERT);
	call.expects_violation = true;
	bind_text(&call, grant->id);
	bind_bytes(&call, grant->code_hash, SHA256_BYTES);
	bind_bytes(&call, grant->user_code_hash, SHA256_BYTES);
	bind_text(&call, grant->request->client_id);
	bind_text(&call, grant->request->address);
	bind_text(&call, plain_agent(arena, grant->request->agent));
	bind_integer(&call, DEVICE_LIFETIME_S);
	bind_integer(&call, DEVICE_INTERVAL_S);
	bind_integer(&call, DEVICE_LIVE_OF_ADDRESS_MAX);
	bind_integer(&call, DEVICE_LIVE_MAX);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_met = rows.violated[0] != '\0';
	*ret_given = rows_count(&rows) > 0;
	return true;
}

bool device_grant_insert(struct store *store, struct arena *arena, const struct device_request *request,
	bool *ret_given, struct device_codes *ret_codes, struct problem *problem)
{
	struct new_grant grant = {.request = request};
	char user_code[USER_CODE_SIZE];
	bool met = true;
	for (int round = 0; met && round < INSERT_ROUNDS_MAX; round++) {
		struct secret code = secret_random(arena, CODE_PREFIX);
		draw_user_code(user_code);
		uuid_new(grant.id);
		hash_device_code(code.text, grant.code_hash);
		hash_user_code(user_code, grant.user_code_hash);
		*ret_codes = (struct device_codes){
			code, show_user_code(arena, user_code), DEVICE_LIFETIME_S, DEVICE_INTERVAL_S};
		if (!insert_grant(store, arena, &grant, &met, ret_given, problem))
			return false;
	}
	return met ? problem_set(problem, PROBLEM_INTERNAL, "No user code is free.") : true;
}

/* --- a poll ------------------------------------------------------------------------------------------------------- */

struct grant {
	const char *id;
	const char *client_id;
	struct grant_facts facts;
	struct login_kept kept;
};

static bool read_grant(struct store *store, struct arena *arena, const uint8_t code_hash[SHA256_BYTES], bool *ret_found,
	struct grant *ret_grant, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_DEVICE_GRANT_READ);
	bind_bytes(&call, code_hash, SHA256_BYTES);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_found = rows_count(&rows) > 0;
	if (!*ret_found)
		return true;
	struct row row = row_at(&rows, 0);
	ret_grant->id = row_uuid(&row, arena);
	ret_grant->client_id = row_text(&row, arena);
	ret_grant->facts.state = grant_state_from_word(row_text(&row, arena));
	ret_grant->facts.interval_ms = row_integer(&row);
	ret_grant->facts.polled_at_ms = row_time_ms(&row);
	ret_grant->facts.expires_at_ms = row_time_ms(&row);
	ret_grant->facts.redeemed_at_ms = row_time_ms(&row);
	ret_grant->facts.pair_unused = row_bool(&row);
	login_read_kept(&row, arena, &ret_grant->kept);
	return true;
}

static bool note_poll(struct store *store, const char *id, bool early, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_DEVICE_GRANT_NOTE_POLL);
	bind_text(&call, id);
	bind_bool(&call, early);
	bind_integer(&call, DEVICE_INTERVAL_STEP_S);
	bind_integer(&call, DEVICE_INTERVAL_MAX_S);
	return store_do(store, &call, problem);
}

struct redemption {
	const struct device_poll *poll;
	struct secret device_code;
	uint8_t code_hash[SHA256_BYTES];
	char family_id[UUID_TEXT_SIZE];
	struct login_mint mint;
};

/* Not done: the code is not approved any more. */
static bool redeem(struct store *store, struct arena *arena, const struct redemption *redemption,
	struct login_minted *ret_minted, struct problem *problem)
{
	const struct login_mint *mint = &redemption->mint;
	struct sealed sealed = login_seal(arena, redemption->device_code, mint);
	struct call call;
	call_write(&call, QUERY_DEVICE_GRANT_REDEEM);
	bind_bytes(&call, redemption->code_hash, SHA256_BYTES);
	bind_text(&call, redemption->poll->client_id);
	bind_text(&call, redemption->family_id);
	bind_bytes(&call, mint->handle_hash, SHA256_BYTES);
	bind_bytes(&call, mint->head_hash, SHA256_BYTES);
	bind_bytes(&call, mint->access_hash, SHA256_BYTES);
	bind_text(&call, mint->access_id);
	bind_bytes(&call, sealed.bytes, sealed.size);
	bind_integer(&call, redemption->poll->limits.access_ms);
	bind_integer(&call, redemption->poll->limits.idle_ms);
	bind_integer(&call, redemption->poll->limits.cap_ms);
	bind_integer(&call, GRANT_LATE_MS);
	return login_run(store, arena, &call, mint, ret_minted, problem);
}

/* One look and what follows from it. *ret_again: somebody was faster, and a new look will tell what they did. */
static bool poll_once(struct store *store, struct arena *arena, const struct redemption *redemption, bool *ret_again,
	struct device_outcome *ret_outcome, struct problem *problem)
{
	struct grant grant = {0};
	struct login_minted minted;
	bool found = false;
	*ret_again = false;
	*ret_outcome = (struct device_outcome){.answer = GRANT_ANSWER_SPENT};
	if (!read_grant(store, arena, redemption->code_hash, &found, &grant, problem))
		return false;
	if (!found || strcmp(grant.client_id, redemption->poll->client_id) != 0)
		return true;
	ret_outcome->answer = grant_judge_poll(&grant.facts, grant.kept.now_ms);
	if (ret_outcome->answer == GRANT_ANSWER_PENDING || ret_outcome->answer == GRANT_ANSWER_SLOW_DOWN)
		return note_poll(store, grant.id, ret_outcome->answer == GRANT_ANSWER_SLOW_DOWN, problem);
	if (ret_outcome->answer == GRANT_ANSWER_REPLAY)
		return login_replay(arena, redemption->device_code, &grant.kept, &ret_outcome->pair, problem);
	if (ret_outcome->answer != GRANT_ANSWER_REDEEM)
		return true;
	if (!redeem(store, arena, redemption, &minted, problem))
		return false;
	ret_outcome->user_id = minted.user_id;
	ret_outcome->pair = minted.pair;
	*ret_again = !minted.done;
	return true;
}

bool device_grant_poll(struct store *store, struct arena *arena, const struct device_poll *poll,
	struct device_outcome *ret_outcome, struct problem *problem)
{
	struct redemption redemption = {
		.poll = poll, .device_code = {.text = poll->device_code, .size = strlen(poll->device_code)}};
	bool again = true;
	hash_device_code(poll->device_code, redemption.code_hash);
	uuid_new(redemption.family_id);
	login_mint(arena, NULL, &redemption.mint);
	for (int round = 0; again && round < LOGIN_ROUNDS_MAX; round++)
		if (!poll_once(store, arena, &redemption, &again, ret_outcome, problem))
			return false;
	return !again || login_keeps_changing(problem);
}

/* --- a user's answer ---------------------------------------------------------------------------------------------- */

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* What was entered without its punctuation and in upper case (RFC 8628 section 6.1). What cannot be a code becomes one
 * that nobody has: it is counted as any wrong one. */
static void read_user_code(const char *entered, char ret_code[USER_CODE_SIZE])
{
	size_t count = 0;
	memset(ret_code, '-', USER_CODE_CHARS);
	ret_code[USER_CODE_CHARS] = '\0';
	for (const char *at = entered; *at != '\0'; at++) {
		char symbol = upper(*at);
		bool is_letter = (symbol >= 'A' && symbol <= 'Z') || (symbol >= '0' && symbol <= '9');
		if (is_letter && count < USER_CODE_CHARS)
			ret_code[count] = symbol;
		count += is_letter;
	}
	if (count != USER_CODE_CHARS)
		ret_code[0] = '-';
}

/* In one order for everybody, so that no two wait for one another. */
static void bind_counters(struct call *call, struct arena *arena, const struct device_entry *entry)
{
	const char *const keys[] = {arena_printf(arena, "account %s", entry->user_id),
		arena_printf(arena, "address %s", entry->address), "everybody"};
	static const int64_t most[] = {DEVICE_WRONG_OF_ACCOUNT_MAX, DEVICE_WRONG_OF_ADDRESS_MAX, DEVICE_WRONG_MAX};
	_Static_assert(COUNT_OF(keys) == COUNT_OF(most), "every counter has its bound");
	bind_texts(call, arena, COUNT_OF(keys), keys);
	bind_integers(call, arena, COUNT_OF(most), most);
	bind_integer(call, DEVICE_LIFETIME_S * INT64_C(1000));
}

static void read_view(struct row *row, struct arena *arena, struct device_view *ret_view)
{
	ret_view->client_id = row_text(row, arena);
	ret_view->address = row_text(row, arena);
	ret_view->agent = row_text(row, arena);
	ret_view->created_at_ms = row_time_ms(row);
	ret_view->expires_at_ms = row_time_ms(row);
}

/* Runs either statement; approve NULL: looks only. */
static bool enter(struct store *store, struct arena *arena, const struct device_entry *entry, const bool *approve,
	struct device_entry_answer *ret_answer, struct problem *problem)
{
	char code[USER_CODE_SIZE];
	uint8_t hash[SHA256_BYTES];
	struct call call;
	read_user_code(entry->user_code, code);
	hash_user_code(code, hash);
	call_write(&call, approve == NULL ? QUERY_DEVICE_GRANT_LOOK : QUERY_DEVICE_GRANT_DECIDE);
	bind_bytes(&call, hash, SHA256_BYTES);
	bind_counters(&call, arena, entry);
	if (approve != NULL) {
		bind_text(&call, entry->user_id);
		bind_bool(&call, *approve);
		bind_text(&call, entry->session_id);
	}
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	bool blocked = !row_is_null(&row);
	int64_t left_ms = row_integer(&row);
	bool found = !row_is_null(&row);
	*ret_answer = (struct device_entry_answer){.end = found ? DEVICE_ENTRY_FOUND : DEVICE_ENTRY_NOT_FOUND};
	read_view(&row, arena, &ret_answer->view);
	ret_answer->view.user_code = show_user_code(arena, code);
	if (blocked) {
		ret_answer->end = DEVICE_ENTRY_BLOCKED;
		ret_answer->retry_after_s = left_ms < 1000 ? 1 : (unsigned)((left_ms + 999) / 1000);
	}
	return true;
}

bool device_grant_look(struct store *store, struct arena *arena, const struct device_entry *entry,
	struct device_entry_answer *ret_answer, struct problem *problem)
{
	return enter(store, arena, entry, NULL, ret_answer, problem);
}

bool device_grant_decide(struct store *store, struct arena *arena, const struct device_entry *entry, bool approve,
	struct device_entry_answer *ret_answer, struct problem *problem)
{
	return enter(store, arena, entry, &approve, ret_answer, problem);
}
