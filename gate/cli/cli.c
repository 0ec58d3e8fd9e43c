/* SPDX-License-Identifier: Apache-2.0 */
/* Running a client command: see cli.h. Only what a command needs is made: no thread before the first request, no file
 * opened where a token is given. */
#include "cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/config.h"
#include "../base/suggest.h"
#include "../base/text.h"
#include "ask.h"
#include "authorization.h"
#include "output.h"
#include "policy.h"
#include "token_file.h"

/* The largest answer, parsed and copied, and the file of logins read a few times. */
#define CLI_ARENA_BYTES_MAX (64 * 1024 * 1024)

#define LOCK_TIMEOUT_MS (3 * 10000)
#define LOCK_TIMEOUT_MS_MAX 600000
#define PROFILE_BYTES_MAX 128

const struct cli_option CLI_COMMON_OPTIONS[] = {
	{"--url", "URL", "the service; else GATEHOUSE_URL, else that of the last login"},
	{"--profile", "NAME", "one of several logins; else GATEHOUSE_PROFILE, else that of the last login"},
	{"--json", NULL, "print the service's answer as JSON instead of a table"},
	{"--verbose", NULL, "say more of what is used"},
	{"--help", NULL, "this text"},
};
const size_t CLI_COMMON_OPTION_COUNT = COUNT_OF(CLI_COMMON_OPTIONS);

const char *cli_environment(const char *name)
{
	const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody changes the environment */

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* --- saying ------------------------------------------------------------------------------------------------------ */

int cli_wrong_usage(const struct cli *cli, const char *format, ...)
{
	va_list arguments;

	(void)fprintf(stderr, "gatehouse: %s: ", cli->command->name);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, " (see `gatehouse %s --help`)\n", cli->command->name);
	return EXIT_WRONG_USAGE;
}

static const struct {
	enum problem_kind kind;
	enum exit_code code;
} exit_codes[] = {
	{PROBLEM_BAD_REQUEST, EXIT_WRONG_USAGE},
	{PROBLEM_EXTERNAL_AUTH_REQUIRED, EXIT_REFUSED},
	{PROBLEM_UNAUTHENTICATED, EXIT_NOT_LOGGED_IN},
	{PROBLEM_EXTERNAL_AUTH_UNVERIFIABLE, EXIT_BUSY},
	{PROBLEM_DATABASE_UNAVAILABLE, EXIT_BUSY},
	{PROBLEM_OVERLOADED, EXIT_BUSY},
	{PROBLEM_DRAINING, EXIT_BUSY},
	{PROBLEM_CHANGED_MEANWHILE, EXIT_BUSY},
	{PROBLEM_IDEMPOTENCY_KEY_IN_USE, EXIT_BUSY},
};

static bool ends_sentence(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && strchr(".!?:", text[size - 1]) != NULL;
}

int cli_fail(struct cli *cli, const struct problem *problem)
{
	output_progress_end(cli);
	(void)fflush(stdout);
	(void)fprintf(stderr, "gatehouse: %s%s%s%s\n", output_plain(cli->arena, problem->message),
		ends_sentence(problem->message) ? "" : ".", problem->detail[0] != '\0' ? " " : "",
		output_plain(cli->arena, problem->detail));
	for (size_t i = 0; i < problem->violation_count; i++)
		(void)fprintf(stderr, "  %s: %s\n", output_plain(cli->arena, problem->violations[i].field),
			output_plain(cli->arena, problem->violations[i].detail));
	for (size_t i = 0; i < COUNT_OF(exit_codes); i++) {
		if (problem->kind == exit_codes[i].kind)
			return (int)exit_codes[i].code;
	}
	return EXIT_FAILED;
}

static void print_options(const struct cli_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s", options[i].flag, options[i].value != NULL ? " " : "",
			options[i].value != NULL ? options[i].value : "");
		(void)printf("  %-22s %s\n", left, options[i].help);
	}
}

void cli_print_help(const struct cli_command *command)
{
	(void)printf("Usage: gatehouse %s%s%s [OPTION]...\n\n%s\n\n", command->name,
		command->usage[0] != '\0' ? " " : "", command->usage, command->about);
	print_options(command->options, command->option_count);
	print_options(CLI_COMMON_OPTIONS, CLI_COMMON_OPTION_COUNT);
	(void)printf("\nGATEHOUSE_TOKEN, an API token, is used instead of a login where it is set.\n"
		     "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by the gate, 4 not logged in, 5 busy "
		     "(try again).\n");
}

/* --- words and options ------------------------------------------------------------------------------------------- */

static const struct cli_option *find_option(const struct cli_command *command, const char *flag, size_t size)
{
	for (size_t i = 0; i < command->option_count + CLI_COMMON_OPTION_COUNT; i++) {
		const struct cli_option *option = i < command->option_count
							  ? &command->options[i]
							  : &CLI_COMMON_OPTIONS[i - command->option_count];

		if (strlen(option->flag) == size && strncmp(option->flag, flag, size) == 0)
			return option;
	}
	return NULL;
}

static int unknown_option(const struct cli *cli, const char *flag)
{
	struct suggestion suggestion = suggestion_for(flag);

	for (size_t i = 0; i < cli->command->option_count; i++)
		suggestion_consider(&suggestion, cli->command->options[i].flag);
	for (size_t i = 0; i < CLI_COMMON_OPTION_COUNT; i++)
		suggestion_consider(&suggestion, CLI_COMMON_OPTIONS[i].flag);
	if (suggestion.nearest == NULL)
		return cli_wrong_usage(cli, "there is no option %.60s", flag);
	return cli_wrong_usage(cli, "there is no option %.60s; did you mean %s?", flag, suggestion.nearest);
}

/* Takes one option, `--flag value` or `--flag=value`; moves *at over its value. */
static int take_option(struct cli *cli, int argc, char **argv, int *at)
{
	const char *word = strcmp(argv[*at], "-h") == 0 ? "--help" : argv[*at];
	size_t size = strcspn(word, "=");
	const struct cli_option *option = find_option(cli->command, word, size);
	const char *value = word[size] == '=' ? word + size + 1 : NULL;

	if (option == NULL)
		return unknown_option(cli, word);
	if (option->value == NULL && value != NULL)
		return cli_wrong_usage(cli, "%s takes no value", option->flag);
	if (option->value != NULL && value == NULL) {
		if (*at + 1 >= argc)
			return cli_wrong_usage(cli, "%s wants %s behind it", option->flag, option->value);
		value = argv[++*at];
	}
	if (cli->given_count == CLI_OPTIONS_MAX)
		return cli_wrong_usage(cli, "there are too many options");
	cli->given[cli->given_count].flag = option->flag;
	cli->given[cli->given_count++].value = value != NULL ? value : "";
	return EXIT_DONE;
}

static int take_words(struct cli *cli, int argc, char **argv)
{
	bool only_words = false;

	for (int i = 0; i < argc; i++) {
		int code = EXIT_DONE;

		if (!only_words && strcmp(argv[i], "--") == 0)
			only_words = true;
		else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0')
			code = take_option(cli, argc, argv, &i);
		else if (cli->argument_count == cli->command->arguments_max)
			code = cli_wrong_usage(cli, "%.60s is one word too many", argv[i]);
		else
			cli->arguments[cli->argument_count++] = argv[i];
		if (code != EXIT_DONE || cli_value(cli, "--help") != NULL)
			return code;
	}
	if (cli->argument_count < cli->command->arguments_min)
		return cli_wrong_usage(cli, "wants %s", cli->command->usage);
	return EXIT_DONE;
}

const char *cli_value(const struct cli *cli, const char *flag)
{
	for (size_t i = cli->given_count; i > 0; i--) {
		if (strcmp(cli->given[i - 1].flag, flag) == 0)
			return cli->given[i - 1].value;
	}
	return NULL;
}

/* --- the service ------------------------------------------------------------------------------------------------- */

bool cli_canonical_url(const char *given, struct arena *arena, const char **ret_canonical, struct problem *problem)
{
	char *url = arena_copy(arena, given);
	size_t size = strlen(url);
	char *host;
	size_t host_size = 0;

	while (size > 0 && url[size - 1] == '/')
		url[--size] = '\0';
	host = strstr(url, "://");
	if (host != NULL) {
		host += 3;
		host_size = strcspn(host, "/?");
		for (char *at = url; at < host + host_size; at++)
			*at = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
	}
	if (host == NULL || !name_is_provider_url(url) || strpbrk(url, "?#") != NULL) {
		(void)problem_set(problem, PROBLEM_BAD_REQUEST, "%.200s is no address of a Gatehouse.", given);
		return problem_detail(problem, "Give one such as https://gatehouse.example.com; http is for the "
					       "loopback "
					       "alone, because tokens are sent there.");
	}
	const char *port = strncmp(url, "https:", 6) == 0 ? ":443" : ":80";
	size_t port_size = strlen(port);

	if (host_size > port_size && strncmp(host + host_size - port_size, port, port_size) == 0)
		memmove(host + host_size - port_size, host + host_size, strlen(host + host_size) + 1);
	*ret_canonical = url;
	return true;
}

static bool open_state(struct cli *cli, struct problem *problem)
{
	cli->state = arena_alloc(cli->arena, sizeof(*cli->state));
	return state_directory_open(cli->arena, cli->command->begins_here, cli->state, problem);
}

static bool nothing_to_talk_to(const struct cli *cli, struct problem *problem)
{
	if (cli->command->begins_here || !secret_is_empty(cli->fixed_token)) {
		(void)problem_set(problem, PROBLEM_BAD_REQUEST, "Which service?");
		return problem_detail(problem, "Give --url, or set GATEHOUSE_URL.");
	}
	(void)problem_set(problem, PROBLEM_UNAUTHENTICATED, "You are not logged in.");
	return problem_detail(problem, "Run `gatehouse login --url URL`.");
}

/* The one login of this profile; more than one wants to be told apart by --url. */
static bool find_profile(struct cli *cli, struct token_file *file, const char *profile, struct problem *problem)
{
	size_t found = 0;

	for (size_t i = 0; i < file->entry_count; i++) {
		if (strcmp(file->entries[i].profile, profile) != 0 ||
			strcmp(file->entries[i].client_id, AUTHORIZATION_CLIENT_ID) != 0)
			continue;
		cli->issuer = file->entries[i].issuer;
		found++;
	}
	cli->profile = profile;
	if (found == 1)
		return true;
	if (found > 1) {
		(void)problem_set(
			problem, PROBLEM_BAD_REQUEST, "Profile %.128s has logins at several services.", profile);
		return problem_detail(problem, "Say which with --url.");
	}
	return nothing_to_talk_to(cli, problem);
}

/* The login that is current, where it is one of this service (issuer NULL: of any). */
static bool is_current(const struct token_file *file, const char *issuer)
{
	return file->current_issuer != NULL && (issuer == NULL || strcmp(file->current_issuer, issuer) == 0);
}

bool cli_resolve(struct cli *cli, struct problem *problem)
{
	const char *url = cli_value(cli, "--url");
	const char *profile = cli_value(cli, "--profile");
	struct token_file *file = arena_alloc(cli->arena, sizeof(*file));

	url = url != NULL ? url : cli_environment("GATEHOUSE_URL");
	profile = profile != NULL ? profile : cli_environment("GATEHOUSE_PROFILE");
	if (url != NULL && !cli_canonical_url(url, cli->arena, &cli->issuer, problem))
		return false;
	cli->profile = profile != NULL ? profile : "default";
	if (!secret_is_empty(cli->fixed_token) && !cli->command->begins_here && url != NULL)
		return true;
	if (!open_state(cli, problem) || !token_file_read(cli->state, cli->arena, file, problem))
		return false;
	if (profile != NULL && url == NULL)
		return find_profile(cli, file, profile, problem);
	if (profile == NULL && is_current(file, cli->issuer)) {
		cli->issuer = file->current_issuer;
		cli->profile = file->current_profile;
	}
	return cli->issuer != NULL || nothing_to_talk_to(cli, problem);
}

/* --- running ----------------------------------------------------------------------------------------------------- */

static bool is_profile(const char *profile)
{
	size_t size = strlen(profile);

	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)profile[i] < 0x20 || profile[i] == 0x7f)
			return false;
	}
	return size > 0 && size <= PROFILE_BYTES_MAX && text_is_utf8(profile, size);
}

static int read_settings(struct cli *cli)
{
	const char *profile = cli_value(cli, "--profile");
	const char *patience = cli_environment("GATEHOUSE_LOCK_TIMEOUT");
	const char *token = cli_environment("GATEHOUSE_TOKEN");

	cli->json = cli_value(cli, "--json") != NULL;
	cli->verbose = cli_value(cli, "--verbose") != NULL;
	cli->lock_timeout_ms = LOCK_TIMEOUT_MS;
	if (token != NULL)
		cli->fixed_token = (struct secret){.text = token, .size = strlen(token)};
	if (profile == NULL)
		profile = cli_environment("GATEHOUSE_PROFILE");
	if (profile != NULL && !is_profile(profile))
		return cli_wrong_usage(cli, "a profile's name is 1 to %d bytes of plain text", PROFILE_BYTES_MAX);
	if (patience != NULL &&
		(!config_parse_duration(patience, &cli->lock_timeout_ms) || cli->lock_timeout_ms > LOCK_TIMEOUT_MS_MAX))
		return cli_wrong_usage(cli, "GATEHOUSE_LOCK_TIMEOUT must be a time such as 30s, up to 10m");
	return EXIT_DONE;
}

static int run_command(struct cli *cli)
{
	struct problem problem = {.kind = PROBLEM_NONE};

	if (!cli->command->offline && !cli_resolve(cli, &problem))
		return cli_fail(cli, &problem);
	return cli->command->run(cli);
}

/* What was printed is part of what the command does: a full disk behind stdout is a failure. */
static int finish_output(int code)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return code;
	(void)fputs("gatehouse: cannot write the answer to stdout\n", stderr);
	return code == EXIT_DONE ? EXIT_FAILED : code;
}

int cli_run(const struct cli_command *command, int argc, char **argv)
{
	SCOPED(arena_release) struct arena *arena = arena_new(CLI_ARENA_BYTES_MAX);
	struct cli cli = {.arena = arena, .command = command};
	int code = take_words(&cli, argc, argv);

	if (code == EXIT_DONE && cli_value(&cli, "--help") != NULL) {
		cli_print_help(command);
		return finish_output(EXIT_DONE);
	}
	if (code == EXIT_DONE)
		code = read_settings(&cli);
	if (code != EXIT_DONE)
		return code;
	/* A limit on file sizes is an error of write(2) and no reason to die with a token in hand. */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	code = run_command(&cli);
	output_progress_end(&cli);
	cli_ask_end(&cli);
	if (cli.state != NULL)
		state_directory_close(cli.state);
	return finish_output(code);
}
