/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for another process's refresh by looking at the link, and adopting how it ended: see refresh_wait.h. Looking
 * costs a read by key; LISTEN would need a connection of its own, which pgbouncer in transaction mode does not give. */
#include "refresh_wait.h"

#include <time.h>

#include "../base/log.h"

#define LOOK_FIRST_MS 25
#define LOOK_MAX_MS 250

/* Signs are looked at so often. */
#define SLICE_MS 50

/* Beyond the lease: a holder that renews for ever is none of ours. */
#define PATIENCE_LEASES 2

#define LOOK_ARENA_BYTES_MAX ((size_t)64 * 1024)

static void sleep_ms(int64_t duration_ms)
{
	const struct timespec pause = {
		.tv_sec = (time_t)(duration_ms / 1000), .tv_nsec = (long)(duration_ms % 1000 * 1000000)};

	(void)nanosleep(&pause, NULL);
}

void refresh_pause(int64_t wait_ms, const struct refresh_signs *signs)
{
	struct deadline deadline = deadline_in_ms(wait_ms);

	while (!deadline_passed(deadline) && !refresh_is_stopping(signs)) {
		int64_t left_ms = deadline_left_ms(deadline);

		sleep_ms(left_ms < SLICE_MS ? left_ms : SLICE_MS);
	}
}

static struct refresh_outcome adopt(enum refresh_end end, int64_t left_ms)
{
	return (struct refresh_outcome){
		.end = end, .retry_after_s = left_ms > 0 ? (unsigned)((left_ms + 999) / 1000) : 0};
}

/* The lease was ended: by a save or by whoever linked again (the generation says so), or by a failure that left its
 * trace. One that left none failed for the moment. */
static struct refresh_outcome adopt_end(const struct refresh_question *question, const struct lease_view *view)
{
	if (view->generation != question->generation)
		return adopt(REFRESH_NOT_TRIED, 0);
	if (view->remembered == REASON_ROTATION_LOST)
		return adopt(REFRESH_FAILED_ROTATION_LOST, 0);
	if (view->remembered != REASON_COUNT)
		return adopt(REFRESH_FAILED_REJECTED, 0);
	if (view->cooldown == REASON_PROVIDER_MISCONFIGURED)
		return adopt(REFRESH_FAILED_MISCONFIGURED, view->cooldown_left_ms);
	return adopt(REFRESH_FAILED_TRANSIENTLY, view->cooldown != REASON_COUNT ? view->cooldown_left_ms : 0);
}

/* What one look says. LOOK_WAIT: somebody holds it still. */
enum look { LOOK_WAIT, LOOK_ENDED, LOOK_RAN_OUT };

static enum look look_once(
	struct engine *engine, const struct refresh_question *question, struct refresh_outcome *ret_outcome)
{
	SCOPED(arena_release) struct arena *arena = arena_new(LOOK_ARENA_BYTES_MAX);
	struct lease_view view = {.generation = 0};
	struct problem problem;
	bool linked = false;

	/* A database that is away says nothing about the holder. */
	if (!lease_look(engine->store, arena, question->owner_id, question->provider->id, &linked, &view, &problem))
		return LOOK_WAIT;
	if (linked && view.generation == question->generation && view.held)
		return LOOK_WAIT;
	if (linked && view.generation == question->generation && view.ran_out)
		return LOOK_RAN_OUT;
	*ret_outcome = linked ? adopt_end(question, &view) : adopt(REFRESH_NOT_TRIED, 0);
	return LOOK_ENDED;
}

static bool is_worth_waiting(const struct refresh_signs *signs)
{
	return atomic_load(&signs->wanted) > 0 && !refresh_is_stopping(signs);
}

bool refresh_await_holder(struct engine *engine, const struct refresh_question *question,
	const struct refresh_signs *signs, struct refresh_outcome *ret_outcome)
{
	struct deadline patience = deadline_in_ms(PATIENCE_LEASES * engine->refresh_lease_ms);
	int64_t wait_ms = LOOK_FIRST_MS;

	*ret_outcome = adopt(REFRESH_FAILED_IN_PROGRESS, 0);
	while (is_worth_waiting(signs) && !deadline_passed(patience)) {
		refresh_pause(wait_ms, signs);
		enum look look = look_once(engine, question, ret_outcome);
		if (look != LOOK_WAIT)
			return look == LOOK_ENDED;
		wait_ms = wait_ms * 2 < LOOK_MAX_MS ? wait_ms * 2 : LOOK_MAX_MS;
	}
	return true;
}
