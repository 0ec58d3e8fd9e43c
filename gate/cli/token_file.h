/* SPDX-License-Identifier: Apache-2.0 */
/* The file that holds logins, tokens.json: read without a lock (a rename gives the old one or the new one), changed
 * under TOKEN_FILE_LOCK alone, and written so that no crash leaves half of it. What this version does not know of it is
 * kept as it is. */
#ifndef CLI_TOKEN_FILE_H
#define CLI_TOKEN_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "state_directory.h"
#include "token_lock.h"

#define TOKEN_FILE_NAME "tokens.json"

/* Logins of one person: services times profiles. */
#define TOKEN_ENTRIES_MAX 64

/* Members that a later version may have added. */
#define TOKEN_REST_MAX 32

/* TOKEN_ENTRIES_MAX logins with two tokens and their addresses are about 100 KiB. */
#define TOKEN_FILE_BYTES_MAX (512 * 1024)

struct token_rest {
	size_t count;
	struct {
		const char *name;
		const char *value; /* JSON text */
	} list[TOKEN_REST_MAX];
};

enum token_store { TOKEN_STORE_FILE, TOKEN_STORE_KEYRING };

/* Whose login it is: two clients of one service do not spend one another's tokens. */
struct token_key {
	const char *issuer;
	const char *client_id;
	const char *profile;
};

/* One login. Text lives in the arena of the file. */
struct token_entry {
	const char *issuer;
	const char *client_id;
	const char *profile;
	enum token_store store;
	struct secret access_token;  /* empty: none, or in the keyring */
	struct secret refresh_token; /* likewise */
	int64_t issued_at_ms;
	int64_t expires_at_ms; /* 0: the service did not say */
	int64_t generation;    /* grows with every change of the tokens */
	bool needs_login;      /* the service refused the refresh token */
	/* An exchange that was begun: of which refresh token (a hash), and when. Whoever finds it with the lock free
	 * knows that its holder died. */
	const char *refreshing_hash; /* NULL: none */
	int64_t refreshing_at_ms;
	struct token_rest rest;
};

struct token_file {
	const char *current_issuer; /* of the last login; NULL: none */
	const char *current_profile;
	size_t entry_count;
	struct token_entry entries[TOKEN_ENTRIES_MAX];
	struct token_rest rest;
};

/* From and to text. A text that is not exactly such a file is PROBLEM_MALFORMED_JSON, never an empty file. */
MUST_CHECK bool token_file_parse(
	struct secret text, struct arena *arena, struct token_file *ret_file, struct problem *problem);
char *token_file_print(const struct token_file *file, struct arena *arena);

/* Reads it; one that is not there is empty. Refuses what others may read, a symbolic link, and whatever is no file of
 * the user's own. */
MUST_CHECK bool token_file_read(const struct state_directory *directory, struct arena *arena,
	struct token_file *ret_file, struct problem *problem);

/* NULL: none. */
struct token_entry *token_file_find(struct token_file *file, struct token_key key);

/* The entry, made where there is none; NULL where the file is full. */
struct token_entry *token_file_make(struct token_file *file, struct token_key key);
void token_file_remove(struct token_file *file, struct token_entry *entry);

/* Reads the file with its lock held, for a change that ends with token_file_commit or token_file_abandon. */
struct token_change {
	const struct state_directory *directory;
	struct token_lock lock;
	struct token_file *file; /* change it in place */
};
MUST_CHECK bool token_file_begin(const struct state_directory *directory, struct arena *arena,
	struct token_change *ret_change, struct problem *problem);
/* Durable when it returns true: file and directory are on the disk. */
MUST_CHECK bool token_file_commit(struct token_change *change, struct arena *arena, struct problem *problem);
void token_file_abandon(struct token_change *change);

/* Removes what a crash may have left behind more than a day ago. */
void token_file_sweep(const struct state_directory *directory);

#endif
