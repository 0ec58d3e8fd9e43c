/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of builds: each is handed out once, oldest first, in the order of its workspace; one whose provisioner died
 * comes back; what was judged still stands when it is handed out. */
#include <stdio.h>
#include <string.h>

#include "../../../gate/store/links.h"
#include "jobs.h"

#define PROVISIONERS 10
#define BUILDS 200
#define WORKSPACES 50
#define SOMEBODY "01900000-0000-7000-8000-00000000beef"

static bool claim_next(const struct fixture *f, const char *lease_id, int64_t lease_ms, struct build_claim *ret_claim)
{
	struct problem problem = {0};
	bool found = false;
	assert_done(build_claim(f->store, f->arena, lease_id, lease_ms, &found, ret_claim, &problem), problem);
	return found;
}

static enum hand_out_end hand_out(
	const struct fixture *f, const struct build_hand_out *given, struct build_record *ret_record)
{
	struct problem problem = {0};
	enum hand_out_end end = HAND_OUT_LOST;
	assert_done(build_hand_out(f->store, f->arena, given, &end, ret_record, &problem), problem);
	return end;
}

static enum complete_end complete(
	const struct fixture *f, struct build_hold hold, const char *status, const char *error)
{
	struct problem problem = {0};
	enum complete_end end = COMPLETE_NOT_FOUND;
	assert_done(build_complete(f->store, &hold, status, error, &end, &problem), problem);
	return end;
}

static void builds_come_in_order_and_end_once(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "j-order");
	struct template_version version = fixture_version(f, "tj-order", NULL, NULL);
	struct workspace first = job_workspace(f, &user, version.id, "first");
	struct build_record record;
	bool found = false;
	assert_int_equal(job_stop(f, &first, "stop"), BUILD_DONE);
	struct workspace second = job_workspace(f, &user, version.id, "second");
	struct build_record one;
	struct build_record two;
	assert_true(job_take(f->store, f->arena, NOBODY, JOB_LEASE_MS, &one));
	assert_string_equal(one.workspace_id, first.id);
	assert_int_equal(one.build.number, 1);
	assert_int_equal(one.attempt, 1);
	/* The stop of the first waits for its start. */
	assert_true(job_take(f->store, f->arena, NOBODY, JOB_LEASE_MS, &two));
	assert_string_equal(two.workspace_id, second.id);
	assert_false(job_take(f->store, f->arena, NOBODY, JOB_LEASE_MS, &record));
	struct build_hold hold = {one.build.id, NOBODY, 1};
	assert_int_equal(complete(f, (struct build_hold){NOBODY, NOBODY, 0}, "failed", NULL), COMPLETE_NOT_FOUND);
	assert_int_equal(
		complete(f, (struct build_hold){one.build.id, SOMEBODY, 1}, "failed", NULL), COMPLETE_NOT_HELD);
	assert_int_equal(complete(f, (struct build_hold){one.build.id, NOBODY, 2}, "failed", NULL), COMPLETE_NOT_HELD);
	assert_int_equal(complete(f, hold, "failed", "{\"message\": \"disk\"}"), COMPLETE_DONE);
	assert_int_equal(complete(f, hold, "failed", "{\"message\": \"disk\"}"), COMPLETE_SAME);
	assert_int_equal(complete(f, hold, "failed", "{\"message\": \"other\"}"), COMPLETE_NOT_HELD);
	assert_int_equal(complete(f, hold, "succeeded", NULL), COMPLETE_NOT_HELD);
	assert_done(build_find(f->store, f->arena, one.build.id, &found, &record, &problem), problem);
	assert_string_equal(record.build.status, "failed");
	assert_string_equal(record.error, "{\"message\": \"disk\"}");
	assert_true(record.started_at_ms > 0 && record.completed_at_ms >= record.started_at_ms);
	assert_true(job_take(f->store, f->arena, SOMEBODY, JOB_LEASE_MS, &record));
	assert_int_equal(record.build.number, 2);
	assert_string_equal(record.moment, "");
}

static void claim_says_all_about_the_workspace(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "j-all");
	struct template_version version = fixture_version(f, "tj-all", NULL, NULL);
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	struct build_claim claim;
	char lease_id[UUID_TEXT_SIZE];
	uuid_new(lease_id);
	assert_true(claim_next(f, lease_id, JOB_LEASE_MS, &claim));
	assert_string_equal(claim.workspace.id, workspace.id);
	assert_string_equal(claim.workspace.name, "dev");
	assert_string_equal(claim.workspace.owner_name, "j-all");
	assert_string_equal(claim.workspace.template_id, version.template_id);
	assert_string_equal(claim.workspace.template_version_id, version.id);
	assert_string_equal(claim.workspace.parameters, "{\"cpu\": 2}");
	assert_string_equal(claim.record.moment, "create");
	assert_string_equal(claim.record.build.status, "pending");
	assert_false(claim.lapsed);
	/* Its answer got lost: the same again. */
	assert_true(claim_next(f, lease_id, JOB_LEASE_MS, &claim));
	assert_string_equal(claim.workspace.id, workspace.id);
	uuid_new(lease_id);
	assert_false(claim_next(f, lease_id, JOB_LEASE_MS, &claim));
}

static void hand_out_asks_whether_all_still_stands(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "j-stand");
	struct template_version version = fixture_version(f, "tj-stand", "github", NULL);
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	struct relied_link relied = {"github", fixture_link(f, user.id, "github", "t")};
	struct decision_row decision = job_decision(f->arena, &workspace, "acquire");
	struct user_change change = {.suspended = &(bool){true}};
	struct build_claim claim;
	struct build_record record;
	bool found = false;
	char lease_id[UUID_TEXT_SIZE];
	uuid_new(lease_id);
	assert_true(claim_next(f, lease_id, JOB_LEASE_MS, &claim));
	struct build_hand_out given = {&claim, lease_id, NOBODY, JOB_LEASE_MS, true, {1, &relied}, &decision};
	relied.generation++;
	assert_int_equal(hand_out(f, &given, &record), HAND_OUT_MOVED);
	relied.generation--;
	assert_done(user_update(f->store, f->arena, &user, &change, &found, &user, &problem), problem);
	assert_int_equal(hand_out(f, &given, &record), HAND_OUT_MOVED);
	given.lease_id = SOMEBODY;
	given.owner_must_be_active = false;
	assert_int_equal(hand_out(f, &given, &record), HAND_OUT_LOST);
	given.lease_id = lease_id;
	const char *before = fixture_sql(f, "SELECT count(*) FROM decisions");
	assert_string_equal(before, "1");
	assert_int_equal(hand_out(f, &given, &record), HAND_OUT_DONE);
	assert_int_equal(record.attempt, 1);
	assert_string_equal(record.build.status, "running");
	/* Its answer got lost: the same again, and no second attempt or decision. */
	assert_int_equal(hand_out(f, &given, &record), HAND_OUT_DONE);
	assert_int_equal(record.attempt, 1);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM decisions WHERE moment = 'acquire'"), "1");
}

static void gate_fails_a_build_it_claimed(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "j-fail");
	struct template_version version = fixture_version(f, "tj-fail", NULL, NULL);
	job_workspace(f, &user, version.id, "dev");
	struct build_claim claim;
	struct build_record record;
	bool failed = false;
	char lease_id[UUID_TEXT_SIZE];
	uuid_new(lease_id);
	assert_true(claim_next(f, lease_id, JOB_LEASE_MS, &claim));
	const char *id = claim.record.build.id;
	assert_done(build_fail(f->store, id, SOMEBODY, "{\"code\": \"x\"}", &failed, &problem), problem);
	assert_false(failed);
	assert_done(build_fail(f->store, id, lease_id, "{\"code\": \"x\"}", &failed, &problem), problem);
	assert_true(failed);
	assert_done(build_find(f->store, f->arena, id, &failed, &record, &problem), problem);
	assert_string_equal(record.build.status, "failed");
	assert_string_equal(record.error, "{\"code\": \"x\"}");
	assert_int_equal(record.attempt, 0);
	assert_false(claim_next(f, SOMEBODY, JOB_LEASE_MS, &claim));
}

static void build_of_a_dead_provisioner_comes_back(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "j-dead");
	struct template_version version = fixture_version(f, "tj-dead", NULL, NULL);
	job_workspace(f, &user, version.id, "dev");
	struct build_record dead;
	struct build_claim claim;
	char lease_id[UUID_TEXT_SIZE];
	uuid_new(lease_id);
	/* One dies with the claim, one with the build. */
	assert_true(claim_next(f, SOMEBODY, 100, &claim));
	assert_false(job_take(f->store, f->arena, NOBODY, 100, &dead));
	fixture_pause_ms(150);
	assert_true(job_take(f->store, f->arena, NOBODY, 100, &dead));
	assert_int_equal(dead.attempt, 1);
	assert_false(claim_next(f, lease_id, JOB_LEASE_MS, &claim));
	fixture_pause_ms(150);
	assert_true(claim_next(f, lease_id, JOB_LEASE_MS, &claim));
	assert_true(claim.lapsed);
	assert_string_equal(claim.had, NOBODY);
	assert_string_equal(claim.record.build.status, "pending");
	struct build_hand_out given = {
		.claim = &claim, .lease_id = lease_id, .provisioner_id = SOMEBODY, .lease_ms = JOB_LEASE_MS};
	struct build_record record;
	assert_int_equal(
		complete(f, (struct build_hold){dead.build.id, NOBODY, 1}, "succeeded", NULL), COMPLETE_NOT_HELD);
	assert_int_equal(hand_out(f, &given, &record), HAND_OUT_DONE);
	assert_int_equal(record.attempt, 2);
	assert_int_equal(
		complete(f, (struct build_hold){dead.build.id, NOBODY, 1}, "succeeded", NULL), COMPLETE_NOT_HELD);
	assert_int_equal(
		complete(f, (struct build_hold){dead.build.id, SOMEBODY, 2}, "succeeded", NULL), COMPLETE_DONE);
}

static void lease_is_renewed_and_given_back(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "j-renew");
	struct template_version version = fixture_version(f, "tj-renew", NULL, NULL);
	job_workspace(f, &user, version.id, "dev");
	struct build_record record;
	struct build_record again;
	bool held = false;
	int64_t until_ms = 0;
	assert_true(job_take(f->store, f->arena, NOBODY, 100, &record));
	struct build_hold hold = {record.build.id, NOBODY, 1};
	struct build_hold other = {record.build.id, SOMEBODY, 0};
	assert_done(build_renew(f->store, &hold, JOB_LEASE_MS, &held, &until_ms, &problem), problem);
	assert_true(held && until_ms > record.started_at_ms + JOB_LEASE_MS - 1);
	fixture_pause_ms(150);
	assert_false(job_take(f->store, f->arena, SOMEBODY, JOB_LEASE_MS, &again));
	assert_done(build_renew(f->store, &other, JOB_LEASE_MS, &held, &until_ms, &problem), problem);
	assert_false(held);
	assert_done(build_release(f->store, &other, &held, &problem), problem);
	assert_false(held);
	assert_done(build_release(f->store, &hold, &held, &problem), problem);
	assert_true(held);
	assert_done(build_release(f->store, &hold, &held, &problem), problem);
	assert_true(held);
	assert_done(build_renew(f->store, &hold, JOB_LEASE_MS, &held, &until_ms, &problem), problem);
	assert_false(held);
	assert_true(job_take(f->store, f->arena, SOMEBODY, JOB_LEASE_MS, &again));
	assert_int_equal(again.attempt, 2);
	assert_done(build_release(f->store, &hold, &held, &problem), problem);
	assert_false(held);
}

struct worker {
	struct store *store;
	char id[UUID_TEXT_SIZE];
	pthread_barrier_t *barrier;
	bool dies; /* with its third build in hand */
	int handed_out;
	int completed;
};

/* Stops when nothing has come for longer than the leases last. */
static void *work_in_thread(void *argument)
{
	struct worker *self = argument;
	struct arena *arena = arena_new(8 * 1024 * 1024);
	int idle = 0;
	pthread_barrier_wait(self->barrier);
	while (idle < 20) {
		struct build_record record;
		struct problem problem = {0};
		enum complete_end end = COMPLETE_NOT_FOUND;
		arena_reset(arena);
		if (!job_take(self->store, arena, self->id, 500, &record)) {
			idle++;
			fixture_pause_ms(50);
			continue;
		}
		idle = 0;
		self->handed_out++;
		if (self->dies && self->handed_out == 3)
			break;
		struct build_hold hold = {record.build.id, self->id, record.attempt};
		assert_done(build_complete(self->store, &hold, "succeeded", NULL, &end, &problem), problem);
		self->completed += end == COMPLETE_DONE;
	}
	arena_free(arena);
	return NULL;
}

static void ten_take_two_hundred_and_none_is_lost(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "j-many");
	struct template_version version = fixture_version(f, "tj-many", NULL, NULL);
	struct store *store = fixture_open(f, PROVISIONERS, true);
	struct worker workers[PROVISIONERS] = {0};
	pthread_barrier_t barrier;
	int handed_out = 0;
	int completed = 0;
	for (int i = 0; i < WORKSPACES; i++) {
		struct workspace workspace = job_workspace(f, &user, version.id, arena_printf(f->arena, "dev-%d", i));
		for (int k = 1; k < BUILDS / WORKSPACES; k++)
			assert_int_equal(job_stop(f, &workspace, "stop"), BUILD_DONE);
	}
	pthread_barrier_init(&barrier, NULL, PROVISIONERS);
	for (size_t i = 0; i < PROVISIONERS; i++) {
		workers[i].store = store;
		workers[i].barrier = &barrier;
		workers[i].dies = i == 0;
		uuid_new(workers[i].id);
	}
	job_race(PROVISIONERS, workers, sizeof(workers[0]), work_in_thread);
	for (size_t i = 0; i < PROVISIONERS; i++) {
		handed_out += workers[i].handed_out;
		completed += workers[i].completed;
	}
	pthread_barrier_destroy(&barrier);
	store_close(store);
	int died = workers[0].handed_out == 3;
	assert_int_equal(completed, BUILDS);
	assert_int_equal(handed_out, BUILDS + died);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM builds WHERE status = 'succeeded'"), "200");
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM builds WHERE attempt > 1"), died ? "1" : "0");
	/* In the order of each workspace. */
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM builds a JOIN builds b ON b.workspace_id = "
					   "a.workspace_id "
					   "AND b.number = a.number + 1 WHERE b.started_at < a.completed_at"),
		"0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(builds_come_in_order_and_end_once, job_empty),
		cmocka_unit_test_setup(claim_says_all_about_the_workspace, job_empty),
		cmocka_unit_test_setup(hand_out_asks_whether_all_still_stands, job_empty),
		cmocka_unit_test_setup(gate_fails_a_build_it_claimed, job_empty),
		cmocka_unit_test_setup(build_of_a_dead_provisioner_comes_back, job_empty),
		cmocka_unit_test_setup(lease_is_renewed_and_given_back, job_empty),
		cmocka_unit_test_setup(ten_take_two_hundred_and_none_is_lost, job_empty),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
