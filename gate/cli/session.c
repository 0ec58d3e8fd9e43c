/* SPDX-License-Identifier: Apache-2.0 */
/* The login of the command line: see session.h. Who may refresh is settled by the lock, whether it is still needed by
 * what is stored when the lock is had, and a crash at any step leaves either the old tokens, whose refresh token the
 * service takes once more for a minute, or the new ones. */
#include "session.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "session_store.h"

/* A token must outlive the request it is sent with, clocks that differ, and not be refreshed by everybody in the same
 * second: RFC 6749 leaves it to the client. */
#define MARGIN_MS 45000
#define MARGIN_JITTER_MS 15000

/* A clock that went back so far says nothing about expiry. */
#define CLOCK_SKEW_MS 120000

#define SAVE_TRIES 4
#define SAVE_PAUSE_MS 250

/* One exchange, one more where its outcome is not known, one more where a login came between. */
#define ROUNDS_MAX 3

static bool not_logged_in(const struct cli *cli, const char *why, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_UNAUTHENTICATED, "%s", why);
	if (strcmp(cli->profile, "default") == 0)
		return problem_detail(problem, "Run `gatehouse login --url %.200s`.", cli->issuer);
	return problem_detail(
		problem, "Run `gatehouse login --url %.200s --profile %.128s`.", cli->issuer, cli->profile);
}

/* --- is it good? ------------------------------------------------------------------------------------------------- */

static int64_t margin_ms(const struct token_entry *entry)
{
	int64_t margin = MARGIN_MS + (int64_t)getpid() * 7919 % MARGIN_JITTER_MS;
	int64_t third = (entry->expires_at_ms - entry->issued_at_ms) / 3;

	return entry->issued_at_ms != 0 && third < margin ? third : margin;
}

static bool lives_for_ms(const struct token_entry *entry, int64_t duration_ms)
{
	int64_t now_ms = clock_now_ms();

	if (secret_is_empty(entry->access_token) || now_ms < entry->issued_at_ms - CLOCK_SKEW_MS)
		return false;
	return entry->expires_at_ms == 0 || now_ms + duration_ms < entry->expires_at_ms;
}

static bool is_good(const struct token_entry *entry, struct secret stale)
{
	return lives_for_ms(entry, margin_ms(entry)) &&
	       (secret_is_empty(stale) || !secret_equals(entry->access_token, stale));
}

static bool check_usable(const struct cli *cli, bool found, const struct token_entry *entry, struct problem *problem)
{
	if (!found)
		return not_logged_in(cli, "You are not logged in.", problem);
	if (entry->needs_login)
		return not_logged_in(cli, "The service does not accept this login any more.", problem);
	if (secret_is_empty(entry->refresh_token))
		return not_logged_in(cli, "This login has ended.", problem);
	return true;
}

/* --- saving ------------------------------------------------------------------------------------------------------ */

static void pause_before_retry(void)
{
	const struct timespec duration = {.tv_nsec = SAVE_PAUSE_MS * 1000000L};

	(void)nanosleep(&duration, NULL);
}

/* The token that came is lost with this process otherwise, so it is tried more than once. */
static bool save_granted(struct cli *cli, const struct token_entry *entry, const struct cli_grant *grant,
	struct token_entry *ret_saved, struct problem *problem)
{
	enum session_save end = SESSION_SAVED;
	bool good = false;

	*ret_saved = *entry;
	ret_saved->access_token = grant->access_token;
	if (!secret_is_empty(grant->refresh_token))
		ret_saved->refresh_token = grant->refresh_token;
	ret_saved->issued_at_ms = clock_now_ms();
	ret_saved->expires_at_ms = grant->expires_in_s > 0 ? ret_saved->issued_at_ms + grant->expires_in_s * 1000 : 0;
	ret_saved->generation = entry->generation + 1;
	ret_saved->refreshing_hash = NULL;
	for (int i = 0; i < SAVE_TRIES && !good; i++) {
		if (i > 0)
			pause_before_retry();
		good = session_store_replace(cli, entry, ret_saved, &end, problem);
	}
	if (!good) {
		struct problem why = *problem;

		(void)problem_set(problem, PROBLEM_INTERNAL, "The refreshed login could not be saved.");
		return problem_detail(problem,
			"%.300s Mend that and run the command again within a minute, or log in again.", why.detail);
	}
	return end == SESSION_SAVED || not_logged_in(cli, "You have logged out meanwhile.", problem);
}

/* The login cannot be refreshed any more; it stays, so that `status` and a later login know of it. */
static bool mark_dead(
	struct cli *cli, const struct token_entry *entry, const struct cli_grant *grant, struct problem *problem)
{
	struct token_entry dead = *entry;
	struct problem unsaved = {.kind = PROBLEM_NONE};
	enum session_save end = SESSION_SAVED;

	dead.needs_login = true;
	dead.refreshing_hash = NULL;
	/* Whoever cannot write it down learns the same from the service the next time. */
	if (!session_store_replace(cli, entry, &dead, &end, &unsaved))
		end = SESSION_GONE;
	return not_logged_in(cli,
		arena_printf(cli->arena, "The service does not accept this login any more (%.60s).", grant->error),
		problem);
}

/* --- refreshing, with the lock held ------------------------------------------------------------------------------ */

static bool complain_of(const struct cli *cli, const struct cli_grant *grant, struct problem *problem)
{
	enum problem_kind kind = grant->end == CLI_GRANT_TRANSIENT ? PROBLEM_OVERLOADED : PROBLEM_INTERNAL;

	(void)problem_set(problem, kind, "%.150s could not refresh the login: %.80s.", cli->issuer, grant->error);
	return problem_detail(problem, "%.300s%sThe login is kept; try again.", grant->description,
		grant->description[0] != '\0' ? " " : "");
}

/* Writing down what is about to be done shows, before the token is spent, that it can be written. */
static bool note_attempt(struct cli *cli, struct token_entry *entry, bool *ret_gone, struct problem *problem)
{
	char hex[SHA256_HEX_SIZE];
	enum session_save end = SESSION_SAVED;
	struct token_entry noted = *entry;

	sha256_hex(entry->refresh_token.text, entry->refresh_token.size, hex);
	noted.refreshing_hash = arena_copy(cli->arena, hex);
	noted.refreshing_at_ms = clock_now_ms();
	if (!session_store_note(cli, entry, &noted, &end, problem))
		return false;
	*entry = noted;
	*ret_gone = end == SESSION_GONE;
	return true;
}

enum round_end { ROUND_TOKEN, ROUND_AGAIN, ROUND_FAILED };

struct round {
	struct secret stale;
	bool asked_twice;
	struct token_entry entry;
	struct secret *ret_token;
};

static enum round_end end_of_grant(
	struct cli *cli, struct round *round, const struct cli_grant *grant, struct problem *problem)
{
	struct token_entry now;
	bool found = false;

	if (grant->end == CLI_GRANT_GRANTED) {
		if (!save_granted(cli, &round->entry, grant, &now, problem))
			return ROUND_FAILED;
		if (secret_is_empty(grant->access_token)) {
			(void)complain_of(cli, grant, problem);
			return ROUND_FAILED;
		}
		*round->ret_token = now.access_token;
		return ROUND_TOKEN;
	}
	if (!session_read(cli, &found, &now, problem))
		return ROUND_FAILED;
	bool moved = !found || !secret_equals(now.refresh_token, round->entry.refresh_token);
	if (grant->end == CLI_GRANT_REFUSED && !moved)
		return mark_dead(cli, &round->entry, grant, problem) ? ROUND_TOKEN : ROUND_FAILED;
	/* The service gives the same successor to who asks once more within its grace, and to nobody later. */
	if (grant->end == CLI_GRANT_AMBIGUOUS && !moved && !round->asked_twice) {
		round->asked_twice = true;
		return ROUND_AGAIN;
	}
	if (moved)
		return ROUND_AGAIN;
	(void)complain_of(cli, grant, problem);
	return ROUND_FAILED;
}

static enum round_end refresh_once(struct cli *cli, struct round *round, struct problem *problem)
{
	bool found = false;
	bool gone = false;

	if (!session_read(cli, &found, &round->entry, problem))
		return ROUND_FAILED;
	if (found && is_good(&round->entry, round->stale)) {
		*round->ret_token = round->entry.access_token;
		return ROUND_TOKEN;
	}
	if (!check_usable(cli, found, &round->entry, problem) || !note_attempt(cli, &round->entry, &gone, problem))
		return ROUND_FAILED;
	if (gone)
		return ROUND_AGAIN;

	struct cli_grant grant = authorization_refresh(cli, round->entry.refresh_token);

	return end_of_grant(cli, round, &grant, problem);
}

static bool refresh_locked(struct cli *cli, struct secret stale, struct secret *ret_token, struct problem *problem)
{
	struct round round = {.stale = stale, .ret_token = ret_token};
	enum round_end end = ROUND_AGAIN;

	(void)problem_set(problem, PROBLEM_OVERLOADED, "The login keeps changing; try again.");
	for (int i = 0; i < ROUNDS_MAX && end == ROUND_AGAIN; i++)
		end = refresh_once(cli, &round, problem);
	return end == ROUND_TOKEN;
}

/* Whoever presses Ctrl-C while a token is on its way means the command, not the login. */
static bool refresh_shielded(struct cli *cli, struct secret stale, struct secret *ret_token, struct problem *problem)
{
	sigset_t interruptions;
	sigset_t before;

	sigemptyset(&interruptions);
	sigaddset(&interruptions, SIGINT);
	sigaddset(&interruptions, SIGTERM);
	sigaddset(&interruptions, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &interruptions, &before);
	bool good = refresh_locked(cli, stale, ret_token, problem);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return good;
}

/* --- what others call -------------------------------------------------------------------------------------------- */

static bool adopt(struct cli *cli, struct secret stale, struct secret *ret_token)
{
	struct problem unread = {.kind = PROBLEM_NONE};
	struct token_entry entry;
	bool found = false;

	if (!session_read(cli, &found, &entry, &unread) || !found || !is_good(&entry, stale))
		return false;
	*ret_token = entry.access_token;
	return true;
}

bool session_token(struct cli *cli, struct secret stale, struct secret *ret_token, struct problem *problem)
{
	struct token_entry entry;
	struct token_lock lock;
	bool found = false;

	if (!session_read(cli, &found, &entry, problem))
		return false;
	if (found && is_good(&entry, stale)) {
		*ret_token = entry.access_token;
		return true;
	}
	if (!check_usable(cli, found, &entry, problem))
		return false;
	if (!session_lock(cli, entry.store, &lock, problem))
		return adopt(cli, stale, ret_token);

	bool good = refresh_shielded(cli, stale, ret_token, problem);

	token_lock_release(&lock);
	if (good || problem->kind == PROBLEM_UNAUTHENTICATED)
		return good;
	/* A token that still lives serves this once. */
	if (!secret_is_empty(stale) || !lives_for_ms(&entry, MARGIN_MS / 10))
		return false;
	*ret_token = entry.access_token;
	return true;
}
