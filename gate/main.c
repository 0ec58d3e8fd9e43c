/* SPDX-License-Identifier: Apache-2.0 */
/* The program: finds the subcommand and hands it what stands behind. What runs the service is named here; what talks to
 * one is named in cli/commands.c and starts without any of it. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "command.h"
#include "foundation.h"
#include "must_check.h"

static const struct subcommand {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
} SUBCOMMANDS[] = {
	{"serve", "run the service", command_serve},
	{"check-config", "say what is wrong with the configuration, without starting", command_check_config},
	{"migrate", "bring the database to this binary's schema", command_migrate},
	{"token", "`token create` makes an API token for a user", command_token},
	{"keys", "`keys status` and `keys rotate`: encryption of stored tokens", command_keys},
};

static void print_help(FILE *out)
{
	(void)fprintf(out, "Gatehouse lets a workspace be created only when its owner has connected the accounts its "
			   "template needs.\n"
			   "\n"
			   "Usage: gatehouse SUBCOMMAND [OPTION]...\n"
			   "\n");
	for (size_t i = 0; i < COUNT_OF(SUBCOMMANDS); i++)
		(void)fprintf(out, "  %-16s%s\n", SUBCOMMANDS[i].name, SUBCOMMANDS[i].summary);
	(void)fputs("\nClient commands:\n\n", out);
	for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
		(void)fprintf(out, "  %-16s%s\n", CLI_COMMANDS[i].name, CLI_COMMANDS[i].summary);
	(void)fprintf(out, "\n`gatehouse SUBCOMMAND --help` explains its options. `gatehouse --version` says which "
			   "this is.\n"
			   "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused by the gate, 4 not "
			   "logged in,\n5 busy (try again).\n");
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	const struct cli_command *command = cli_command_find(word);

	for (size_t i = 0; i < COUNT_OF(SUBCOMMANDS); i++) {
		if (strcmp(word, SUBCOMMANDS[i].name) == 0)
			return SUBCOMMANDS[i].run(argc - 2, argv + 2);
	}
	if (command != NULL) {
		foundation_protect_memory();
		return cli_run(command, argc - 2, argv + 2);
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "help") == 0 || strcmp(word, "-h") == 0) {
		print_help(stdout);
		return EXIT_DONE;
	}
	if (strcmp(word, "--version") == 0) {
		(void)printf("gatehouse %s\n", GATEHOUSE_VERSION);
		return EXIT_DONE;
	}
	if (word[0] != '\0')
		(void)fprintf(stderr, "gatehouse: there is no subcommand `%s`\n\n", word);
	print_help(stderr);
	return EXIT_WRONG_USAGE;
}
