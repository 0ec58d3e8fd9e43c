/* SPDX-License-Identifier: Apache-2.0 */
/* The store functions that link/ calls, as a test wants them to answer. */
#ifndef TEST_LINK_FAKE_STORE_H
#define TEST_LINK_FAKE_STORE_H

#include "../../../gate/store/links.h"

/* What link_find answers, and what was asked and noted. Reset by the test. */
struct fake_store {
	bool away;
	bool found;
	struct link link;
	size_t finds;
	size_t notes;
	size_t rejections;
	int64_t noted_generation;
	char noted_account[64];
};

extern struct fake_store fake_store;

#endif
