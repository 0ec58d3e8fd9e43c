/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of rotation share: services with different lists of keys on one database. */
#ifndef STORE_SIDES_H
#define STORE_SIDES_H

#include "../../../gate/store/key_report.h"
#include "../../../gate/store/links.h"
#include "../../../gate/store/rotation.h"
#include "fixture.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

/* A store with keys of its own on the fixture's database. */
struct side {
	struct vault *vault;
	struct store *store;
};

struct side side_open(const struct fixture *f, const char *keys);
void side_close(struct side side);
int side_empty(void **state);
int64_t side_save(
	struct side side, const char *owner_id, const char *provider_id, const char *access, const char *refresh);
struct link side_find(const struct fixture *f, struct side side, const char *owner_id, const char *provider_id);
void side_assert_tokens(const struct fixture *f, struct side side, const char *owner_id, const char *provider_id,
	const char *access, const char *refresh);
struct rotation *side_begin(struct side side, size_t batch, bool from_clear);
bool rotation_read_batch(struct rotation *rotation);
void rotation_write_batch(struct rotation *rotation);
void rotation_run_pass(struct rotation *rotation);
struct rotation_tally side_rotate(struct side side, size_t batch, bool from_clear);
size_t side_retire(const struct fixture *f, struct side side);
struct key_report side_report(const struct fixture *f, struct side side);

#endif
