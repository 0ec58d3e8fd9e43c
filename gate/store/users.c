/* SPDX-License-Identifier: Apache-2.0 */
/* Users. The roles are bits in the database; the table below ties them to the policy's enumeration, whose order may
 * change. */
#include "users.h"

#include "user_row.h"

static const struct {
	enum role role;
	int bit;
} role_bits[] = {
	{ROLE_MEMBER, 1},
	{ROLE_TEMPLATE_AUTHOR, 2},
	{ROLE_CONTROL_PLANE, 4},
	{ROLE_PROVISIONER, 8},
	{ROLE_AUDITOR, 16},
	{ROLE_ADMIN, 32},
};
_Static_assert(COUNT_OF(role_bits) == ROLE_COUNT, "every role needs a bit");

static int bits_of_roles(role_set roles)
{
	int bits = 1;
	for (size_t i = 0; i < COUNT_OF(role_bits); i++)
		if (roles & 1u << role_bits[i].role)
			bits |= role_bits[i].bit;
	return bits;
}

static role_set roles_of_bits(int64_t bits)
{
	role_set roles = 1u << ROLE_MEMBER;
	for (size_t i = 0; i < COUNT_OF(role_bits); i++)
		if (bits & role_bits[i].bit)
			roles |= 1u << role_bits[i].role;
	return roles;
}

void user_read_row(struct row *row, struct arena *arena, struct user *ret_user)
{
	ret_user->id = row_uuid(row, arena);
	ret_user->username = row_text(row, arena);
	ret_user->email = row_text(row, arena);
	ret_user->suspended = row_bool(row);
	ret_user->roles = roles_of_bits(row_integer(row));
	ret_user->created_at_ms = row_time_ms(row);
}

bool user_insert(struct store *store, struct arena *arena, const struct user *user, struct user *ret_user,
	struct problem *problem)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	struct call call;
	call_write(&call, QUERY_USER_INSERT);
	call.expects_violation = true;
	bind_text(&call, id);
	bind_text(&call, user->username);
	bind_text(&call, user->email);
	bind_bool(&call, user->suspended);
	bind_integer(&call, bits_of_roles(user->roles));
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	if (rows_violate(&rows, "users_username_key")) {
		problem_set(problem, PROBLEM_NAME_TAKEN, "There is a user of that name already.");
		return problem_add_violation(problem, "username", "is taken");
	}
	if (rows_count(&rows) == 0)
		return problem_set(problem, PROBLEM_INTERNAL, "The user breaks the rule %s.", rows.violated);
	struct row row = row_at(&rows, 0);
	user_read_row(&row, arena, ret_user);
	return true;
}

/* Runs a statement that gives one user or none. */
static bool find_one(struct store *store, struct arena *arena, const struct call *call, bool *ret_found,
	struct user *ret_user, struct problem *problem)
{
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, call, &rows, ret_found, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_found)
		user_read_row(&row, arena, ret_user);
	return true;
}

void bind_reference(struct call *call, const char *reference)
{
	bool is_id = reference != NULL && name_is_uuid(reference);
	bind_text(call, is_id ? reference : NULL);
	bind_text(call, is_id ? NULL : reference);
}

bool user_find(struct store *store, struct arena *arena, const char *reference, bool *ret_found, struct user *ret_user,
	struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_USER_FIND);
	bind_reference(&call, reference);
	return find_one(store, arena, &call, ret_found, ret_user, problem);
}

bool user_list(struct store *store, struct arena *arena, struct page page, size_t *ret_count, struct user **ret_users,
	struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_USER_LIST);
	bind_page(&call, page);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_users = rows_room(&rows, arena, sizeof(**ret_users), ret_count);
	for (size_t i = 0; i < *ret_count; i++) {
		struct row row = row_at(&rows, i);
		user_read_row(&row, arena, &(*ret_users)[i]);
	}
	return true;
}

bool user_update(struct store *store, struct arena *arena, const struct user *judged, const struct user_change *change,
	bool *ret_found, struct user *ret_user, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_USER_UPDATE);
	bind_text(&call, judged->id);
	bind_bool_or_null(&call, change->suspended);
	bind_text(&call, change->email);
	bind_bool(&call, change->clear_email);
	if (change->roles == NULL)
		bind_null(&call);
	else
		bind_integer(&call, bits_of_roles(*change->roles));
	bind_integer(&call, bits_of_roles(judged->roles));
	bind_bool(&call, change->forget_sign_in);
	return find_one(store, arena, &call, ret_found, ret_user, problem);
}

bool user_delete(struct store *store, const struct user *judged, bool *ret_found, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_USER_DELETE);
	call.expects_violation = true;
	bind_text(&call, judged->id);
	bind_integer(&call, bits_of_roles(judged->roles));
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	if (*rows.violated == '\0')
		return true;
	*ret_found = true;
	problem_set(problem, PROBLEM_CONFLICT, "The user still has workspaces.");
	return problem_detail(problem, "Delete the user's workspaces first, or suspend the user.");
}
