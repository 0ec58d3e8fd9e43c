/* SPDX-License-Identifier: Apache-2.0 */
/* What every client command stands on: its words and options, whom it talks to, and how it says things. A command knows
 * the service by its HTTP API alone; nothing of the service's own configuration or database is touched. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "../base/arena.h"
#include "../base/secret.h"
#include "exit_code.h"
#include "must_check.h"
#include "problem.h"
#include "state_directory.h"

struct http_client;
struct cli;

/* A few words behind the command; nobody types more. */
#define CLI_ARGUMENTS_MAX 4
#define CLI_OPTIONS_MAX 64

/* value NULL: the option is a switch. */
struct cli_option {
	const char *flag;
	const char *value;
	const char *help;
};

struct cli_command {
	const char *name;
	const char *usage; /* what stands behind the name */
	const char *summary;
	const char *about; /* for --help: what it does, in whole sentences */
	size_t arguments_min, arguments_max;
	size_t option_count;
	const struct cli_option *options;
	bool offline;     /* no service is looked for: it asks nobody, or looks itself (cli_resolve) */
	bool begins_here; /* needs no login: it makes one */
	int (*run)(struct cli *cli);
};

struct cli {
	struct arena *arena;
	const struct cli_command *command;
	size_t argument_count;
	const char *arguments[CLI_ARGUMENTS_MAX];
	size_t given_count;
	struct {
		const char *flag;
		const char *value;
	} given[CLI_OPTIONS_MAX];
	bool json;
	bool verbose;
	struct http_client *http;      /* NULL until something is asked */
	struct state_directory *state; /* NULL until it is looked for */
	const char *issuer;            /* the service: canonical, without a slash at its end */
	const char *profile;
	struct secret fixed_token; /* GATEHOUSE_TOKEN; empty: a login is used */
	int64_t lock_timeout_ms;
	bool progress_shown;
};

/* The options that every command takes. */
extern const struct cli_option CLI_COMMON_OPTIONS[];
extern const size_t CLI_COMMON_OPTION_COUNT;

/* The value of an option as given last, "" for a switch; NULL: not given. */
const char *cli_value(const struct cli *cli, const char *flag);

/* Reads words and options, finds the service and runs the command. Returns the exit code. */
int cli_run(const struct cli_command *command, int argc, char **argv);

/* Finds the service and the login for a command that is `offline`, once it knows that it needs them. */
MUST_CHECK bool cli_resolve(struct cli *cli, struct problem *problem);

/* The command's own --help. */
void cli_print_help(const struct cli_command *command);

/* One sentence on stderr. Returns EXIT_WRONG_USAGE. */
int cli_wrong_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says on stderr what went wrong and what to do. Returns the exit code that the kind of problem has. */
int cli_fail(struct cli *cli, const struct problem *problem);

/* A canonical form of a service's address, by which logins are kept apart: scheme and host in lower case, no default
 * port, no slash at the end (RFC 3986 section 6.2.2). PROBLEM_BAD_REQUEST where it is none that may be sent a token:
 * https, or http on the loopback. */
MUST_CHECK bool cli_canonical_url(
	const char *given, struct arena *arena, const char **ret_canonical, struct problem *problem);

/* An environment variable's value; NULL where it is unset or empty. */
const char *cli_environment(const char *name);

#endif
