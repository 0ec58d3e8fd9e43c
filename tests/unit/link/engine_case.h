/* SPDX-License-Identifier: Apache-2.0 */
/* An engine that asks over HTTP and what one question to a provider gives: what the tests of single questions share. */
#ifndef TEST_LINK_ENGINE_CASE_H
#define TEST_LINK_ENGINE_CASE_H

#include "../../../gate/link/oauth.h"
#include "demo.h"

struct engine_case {
	struct arena *arena;
	struct engine engine;
	struct oauth_grant grant;
	struct secret access_token;
	struct secret refresh_token;
	struct problem problem;
};

/* A test with a case of its own in *data, a struct engine_case. */
#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, engine_case_set_up, engine_case_tear_down)

int engine_case_set_up(void **data);
int engine_case_tear_down(void **data);

#endif
