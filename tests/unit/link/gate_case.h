/* SPDX-License-Identifier: Apache-2.0 */
/* One owner, some providers and links, and what the gate says of them: what the tests of the gate share. */
#ifndef TEST_LINK_GATE_CASE_H
#define TEST_LINK_GATE_CASE_H

#include "../../../gate/link/breaker.h"
#include "../../../gate/link/gate.h"
#include "../../../gate/link/inquiry.h"
#include "demo.h"
#include "fake_store.h"

#define OWNER "01920000-0000-7000-8000-000000000001"

struct gate_case {
	struct arena *arena;
	struct engine engine;
	struct requirements requirements;
	struct link links[8];
	size_t link_count;
	struct gate_question question;
	struct gate_answer answer;
	struct problem problem;
};

int gate_case_set_up(void **data);
int gate_case_tear_down(void **data);

#define GATE_TEST(name) cmocka_unit_test_setup_teardown(name, gate_case_set_up, gate_case_tear_down)

/* A provider of the demonstration program that is required, or optional. */
struct provider *gate_case_provider(struct gate_case *state, const char *name, bool optional);

/* A link to it with a token that it knows; generation 7. */
struct link *gate_case_link(struct gate_case *state, const char *name);

bool gate_case_evaluate(struct gate_case *state);

/* Of the first requirement; fails the test where there is none. */
enum reason gate_case_reason(struct gate_case *state);

#endif
