/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of an operator beside `serve`: `check-config`, `migrate` and `token create`. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "command.h"
#include "foundation.h"
#include "must_check.h"
#include "store/migrate.h"
#include "store/users.h"

/* A command's own options beside the configuration's. */
#define ARGUMENTS_MAX 256

/* --- check-config ----------------------------------------------------------------------------------------------- */

int command_check_config(int argc, char **argv)
{
	static struct foundation foundation;
	bool help = false;

	if (!foundation_load(&foundation, argc, argv, &help)) {
		config_free(foundation.config);
		return EXIT_WRONG_USAGE;
	}
	if (help) {
		(void)printf("Usage: gatehouse check-config [OPTION]...\n"
			     "\n"
			     "Reads the configuration as `serve` would and says what is wrong with it, without "
			     "starting.\n"
			     "Exit code 0: good; 2: not.\n\n");
		config_print_options();
		return EXIT_DONE;
	}
	(void)printf("gatehouse: the configuration is good (%zu providers, %s database)\n", foundation.providers.count,
		secret_is_empty(foundation.config->pg_connection_url) ? "embedded" : "external");
	for (size_t i = 0; i < foundation.providers.count; i++)
		(void)printf("  %s: %s, type %s\n", foundation.providers.list[i]->id,
			foundation.providers.list[i]->display_name, foundation.providers.list[i]->type_word);
	config_free(foundation.config);
	return EXIT_DONE;
}

/* --- migrate ---------------------------------------------------------------------------------------------------- */

int command_migrate(int argc, char **argv)
{
	static struct foundation foundation;
	struct problem problem = {.kind = PROBLEM_NONE};
	int applied = 0;
	bool help = false;

	if (!foundation_load(&foundation, argc, argv, &help)) {
		config_free(foundation.config);
		return EXIT_WRONG_USAGE;
	}
	if (help) {
		(void)printf("Usage: gatehouse migrate [OPTION]...\n"
			     "\n"
			     "Brings the database to this binary's schema; `serve` does the same at its start.\n\n");
		config_print_options();
		return EXIT_DONE;
	}
	log_setup(LOG_WARN, LOG_TEXT);

	bool good = foundation_open(&foundation, CLUSTER_JOIN, &applied, &problem);

	if (good)
		(void)printf("gatehouse: the database is at version %d (%d migrations applied now)\n",
			migrate_newest_version(), applied);
	foundation_close(&foundation);
	return good ? EXIT_DONE : foundation_complain(&problem);
}

/* --- token create ----------------------------------------------------------------------------------------------- */

struct token_wish {
	const char *user;
	const char *name;
	const char *lifetime;
	role_set roles;
	bool help;
	int64_t lifetime_s;
};

static void print_token_help(void)
{
	(void)printf("Usage: gatehouse token create --user NAME [OPTION]...\n"
		     "\n"
		     "Makes an API token straight in the database and prints it, once. The first token of a new\n"
		     "installation comes from here or from GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN.\n"
		     "\n"
		     "  --user NAME       whose token; a user who does not exist yet is made\n"
		     "  --role ROLE       a role for a user made now; may be repeated: template-author,\n"
		     "                    control-plane, provisioner, auditor, admin\n"
		     "  --name TEXT       shown in the list of keys\n"
		     "  --lifetime TIME   such as 24h; from 1s to 8760h, 720h when not given\n"
		     "\n"
		     "and the options that say where the database is:\n");
	config_print_options();
}

static int wrong_usage(const char *what, const char *value)
{
	(void)fprintf(stderr, "gatehouse: token create: %s%s (see `gatehouse token create --help`)\n", what, value);
	return EXIT_WRONG_USAGE;
}

/* Takes the command's own options out of argv and leaves the configuration's in rest. */
static bool take_options(int argc, char **argv, struct token_wish *wish, int *ret_rest_count, char **ret_rest)
{
	struct {
		const char *flag;
		const char **target;
	} own[] = {{"--user", &wish->user}, {"--name", &wish->name}, {"--lifetime", &wish->lifetime}};
	int rest = 0;

	for (int i = 0; i < argc && rest < ARGUMENTS_MAX - 1; i++) {
		size_t at = 0;

		while (at < COUNT_OF(own) && strcmp(argv[i], own[at].flag) != 0)
			at++;
		if (at < COUNT_OF(own) && i + 1 < argc) {
			*own[at].target = argv[++i];
		} else if (strcmp(argv[i], "--role") == 0 && i + 1 < argc) {
			enum role role = role_from_word(argv[++i]);

			if (role == ROLE_COUNT)
				return false;
			wish->roles |= 1u << role;
		} else {
			ret_rest[rest++] = argv[i];
		}
	}
	ret_rest[rest] = NULL;
	*ret_rest_count = rest;
	return true;
}

static int check_wish(struct token_wish *wish)
{
	int64_t lifetime_ms = (int64_t)TOKEN_LIFETIME_DEFAULT_S * 1000;

	if (wish->user == NULL)
		return wrong_usage("--user is missing", "");
	if (!name_is_user(wish->user))
		return wrong_usage("--user must be 1 to 32 of a-z, 0-9 and -; it is ", wish->user);
	if (strlen(wish->name) > TOKEN_NAME_BYTES_MAX)
		return wrong_usage("--name is longer than 64 bytes", "");
	if (wish->lifetime != NULL && !config_parse_duration(wish->lifetime, &lifetime_ms))
		return wrong_usage("--lifetime must be a time such as 24h; it is ", wish->lifetime);
	wish->lifetime_s = lifetime_ms / 1000;
	if (wish->lifetime_s < TOKEN_LIFETIME_MIN_S || wish->lifetime_s > TOKEN_LIFETIME_MAX_S)
		return wrong_usage("--lifetime must be from 1s to 8760h", "");
	return EXIT_DONE;
}

static bool find_or_make_user(struct store *store, struct arena *arena, const struct token_wish *wish,
	struct user *ret_user, struct problem *problem)
{
	const struct user newcomer = {.username = wish->user, .roles = wish->roles | 1u << ROLE_MEMBER};
	bool found = false;

	if (!user_find(store, arena, wish->user, &found, ret_user, problem))
		return false;
	if (!found)
		return user_insert(store, arena, &newcomer, ret_user, problem);
	if ((wish->roles & ~ret_user->roles) == 0)
		return true;
	(void)problem_set(problem, PROBLEM_CONFLICT, "User %s exists and does not have these roles.", wish->user);
	return problem_detail(problem, "Change them with PATCH /api/v2/users/%s, or leave --role out.", wish->user);
}

static bool make_token(struct foundation *foundation, const struct token_wish *wish, struct problem *problem)
{
	struct arena *arena = foundation->arena;
	struct secret key = secret_random(arena, "gh_");
	struct api_token token;
	struct user user;
	uint8_t hash[SHA256_BYTES];

	sha256(key.text, key.size, hash);
	if (!find_or_make_user(foundation->store, arena, wish, &user, problem) ||
		!token_insert(foundation->store, arena, user.id, wish->name, hash, wish->lifetime_s, &token, problem))
		return false;
	(void)printf("%s\n", key.text);
	return true;
}

static int create_token(int argc, char **argv)
{
	static struct foundation foundation;
	struct token_wish wish = {.name = ""};
	struct problem problem = {.kind = PROBLEM_NONE};
	char *rest[ARGUMENTS_MAX];
	int rest_count = 0;
	int applied = 0;

	if (!take_options(argc, argv, &wish, &rest_count, rest))
		return wrong_usage("--role must be template-author, control-plane, provisioner, auditor or admin", "");
	if (!foundation_load(&foundation, rest_count, rest, &wish.help)) {
		config_free(foundation.config);
		return EXIT_WRONG_USAGE;
	}
	if (wish.help) {
		print_token_help();
		return EXIT_DONE;
	}

	int code = check_wish(&wish);

	if (code != EXIT_DONE) {
		config_free(foundation.config);
		return code;
	}
	log_setup(LOG_WARN, LOG_TEXT);

	bool good = foundation_open(&foundation, CLUSTER_JOIN, &applied, &problem) &&
		    make_token(&foundation, &wish, &problem);

	foundation_close(&foundation);
	return good ? EXIT_DONE : foundation_complain(&problem);
}

int command_token(int argc, char **argv)
{
	if (argc >= 1 && strcmp(argv[0], "create") == 0)
		return create_token(argc - 1, argv + 1);
	if (argc >= 1 && strcmp(argv[0], "--help") == 0) {
		print_token_help();
		return EXIT_DONE;
	}
	(void)fprintf(stderr, "gatehouse: `token` knows one word, `create` (see `gatehouse token --help`)\n");
	return EXIT_WRONG_USAGE;
}
