/* SPDX-License-Identifier: Apache-2.0 */
/* `completion bash`: made of the same tables as the help, so that it cannot fall behind. */
#include <stdio.h>
#include <string.h>

#include "commands.h"

static void print_flags(const struct cli_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)printf(" %s", options[i].flag);
}

/* Options whose value is one of a few words. */
static const struct {
	const char *flag;
	const char *words;
} choices[] = {
	{"--store", "file keyring"},
	{"--claim-prebuild", "never prefer require"},
	{"--outcome", "allowed refused unverifiable"},
};

static void print_bash(void)
{
	(void)printf("# bash completion of gatehouse: source <(gatehouse completion bash)\n"
		     "_gatehouse()\n{\n"
		     "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
		     "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
		     "\t\twords='serve check-config migrate token keys --help --version");
	for (size_t i = 0; i < CLI_COMMAND_COUNT; i++)
		(void)printf(" %s", CLI_COMMANDS[i].name);
	(void)printf("'\n\telse\n\t\tcase $before in\n");
	for (size_t i = 0; i < COUNT_OF(choices); i++)
		(void)printf("\t\t%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n", choices[i].flag,
			choices[i].words);
	(void)printf("\t\tesac\n\t\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
		const struct cli_command *command = &CLI_COMMANDS[i];

		(void)printf("\t\t%s) words='", command->name);
		if (strcmp(command->name, "completion") == 0)
			(void)printf("bash");
		if (strcmp(command->name, "git-credential") == 0)
			(void)printf("get store erase");
		print_flags(command->options, command->option_count);
		print_flags(CLI_COMMON_OPTIONS, CLI_COMMON_OPTION_COUNT);
		(void)printf("' ;;\n");
	}
	(void)printf("\t\ttoken) [ \"$COMP_CWORD\" -gt 2 ] || words=create ;;\n"
		     "\t\tkeys) [ \"$COMP_CWORD\" -gt 2 ] || words='status rotate' ;;\n");
	(void)printf("\t\tesac\n\tfi\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
		     "complete -F _gatehouse gatehouse\n");
}

int cli_completion(struct cli *cli)
{
	if (strcmp(cli->arguments[0], "bash") != 0)
		return cli_wrong_usage(cli, "knows bash, and not %.60s", cli->arguments[0]);
	print_bash();
	return EXIT_DONE;
}
