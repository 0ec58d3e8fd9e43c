/* SPDX-License-Identifier: Apache-2.0 */
/* See sides.h. */
#include "sides.h"

#include <string.h>

struct side side_open(const struct fixture *f, const char *keys)
{
	struct problem problem = {0};
	struct side side = {0};
	assert_done(vault_open(fixture_secret(keys), &side.vault, &problem), problem);
	struct store_options options = {
		.connection_url = f->url, .prepare = true, .connections = 2, .vault = side.vault};
	assert_done(store_open(&options, &side.store, &problem), problem);
	return side;
}

void side_close(struct side side)
{
	store_close(side.store);
	vault_close(side.vault);
}

int side_empty(void **state)
{
	fixture_sql(*state, "DELETE FROM links");
	fixture_sql(*state, "DELETE FROM oauth_states");
	fixture_sql(*state, "DELETE FROM vault_check");
	fixture_sql(*state, "DELETE FROM users");
	return 0;
}

int64_t side_save(
	struct side side, const char *owner_id, const char *provider_id, const char *access, const char *refresh)
{
	struct problem problem = {0};
	int64_t generation = 0;
	struct link_tokens tokens = {
		.owner_id = owner_id, .provider_id = provider_id, .access_token = fixture_secret(access)};
	if (refresh != NULL)
		tokens.refresh_token = fixture_secret(refresh);
	assert_done(link_save(side.store, &tokens, &generation, &problem), problem);
	return generation;
}

struct link side_find(const struct fixture *f, struct side side, const char *owner_id, const char *provider_id)
{
	struct problem problem = {0};
	struct link link = {0};
	bool found = false;
	assert_done(link_find(side.store, f->arena, owner_id, provider_id, &found, &link, &problem), problem);
	assert_true(found);
	return link;
}

void side_assert_tokens(const struct fixture *f, struct side side, const char *owner_id, const char *provider_id,
	const char *access, const char *refresh)
{
	struct link link = side_find(f, side, owner_id, provider_id);
	assert_true(link.readable);
	assert_string_equal(link.access_token.text, access);
	if (refresh == NULL)
		assert_true(secret_is_empty(link.refresh_token));
	else
		assert_string_equal(link.refresh_token.text, refresh);
}

struct rotation *side_begin(struct side side, size_t batch, bool from_clear)
{
	struct problem problem = {0};
	struct rotation *rotation = NULL;
	struct rotation_plan plan = {batch, from_clear};
	assert_done(rotation_new(side.store, plan, &rotation, &problem), problem);
	return rotation;
}

bool rotation_read_batch(struct rotation *rotation)
{
	struct problem problem = {0};
	bool more = false;
	assert_done(rotation_read(rotation, &more, &problem), problem);
	return more;
}

void rotation_write_batch(struct rotation *rotation)
{
	struct problem problem = {0};
	assert_done(rotation_write(rotation, &problem), problem);
}

void rotation_run_pass(struct rotation *rotation)
{
	while (rotation_read_batch(rotation))
		rotation_write_batch(rotation);
}

struct rotation_tally side_rotate(struct side side, size_t batch, bool from_clear)
{
	struct rotation *rotation = side_begin(side, batch, from_clear);
	do
		rotation_run_pass(rotation);
	while (rotation_tally(rotation).found > 0);
	struct rotation_tally tally = rotation_tally(rotation);
	rotation_free(rotation);
	return tally;
}

size_t side_retire(const struct fixture *f, struct side side)
{
	struct problem problem = {0};
	const char **key_ids = NULL;
	size_t count = 0;
	assert_done(rotation_retire(side.store, f->arena, &count, &key_ids, &problem), problem);
	return count;
}

struct key_report side_report(const struct fixture *f, struct side side)
{
	struct problem problem = {0};
	struct key_report report;
	assert_done(key_report_read(side.store, f->arena, &report, &problem), problem);
	return report;
}
