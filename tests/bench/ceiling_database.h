/* SPDX-License-Identifier: Apache-2.0 */
/* The ceiling's two statements, which are the service's own: their text is read from schema/queries/ when the program
 * starts, so that what is measured against cannot drift from what the service asks. Every connection has them prepared.
 */
#ifndef BENCH_CEILING_DATABASE_H
#define BENCH_CEILING_DATABASE_H

#include <stdbool.h>
#include <stddef.h>

struct database;

struct database_options {
	const char *url;         /* any libpq connection string */
	const char *queries;     /* the folder of the statements */
	const char *template_id; /* what is created, by template or by version */
	const char *version_id;
	const char *provider_id; /* the one provider the version requires */
	size_t connections;
};

/* Connects and prepares; says on stderr what failed. The caller owns *ret_database. */
bool database_open(const struct database_options *options, struct database **ret_database);
void database_close(struct database *database);

/* The read before the gate, of one owner's user name: by template and workspace name, as a create asks, or by version
 * without a name (name NULL), as a preflight asks. On success ret_owner_id is the owner's id. */
#define UUID_TEXT_BYTES 37
bool database_read(struct database *database, const char *owner, const char *name, char ret_owner_id[UUID_TEXT_BYTES]);

/* The guarded insert of a workspace with a name and ids of its own, with its row of the decision log or (logged false)
 * without. False, too, where the guard let nothing in. */
bool database_insert(struct database *database, const char *owner_id, const char *name, bool logged);

#endif
