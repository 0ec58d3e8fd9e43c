/* SPDX-License-Identifier: Apache-2.0 */
/* The client commands: one table, walked by the program, its help and the completion. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli.h"

extern const struct cli_command CLI_COMMANDS[];
extern const size_t CLI_COMMAND_COUNT;

/* NULL: there is none of this name. */
const struct cli_command *cli_command_find(const char *name);

int cli_login(struct cli *cli);
int cli_logout(struct cli *cli);
int cli_whoami(struct cli *cli);
int cli_status(struct cli *cli);
int cli_check(struct cli *cli);
int cli_create(struct cli *cli);
int cli_connect(struct cli *cli);
int cli_disconnect(struct cli *cli);
int cli_access_token(struct cli *cli);
int cli_git_credential(struct cli *cli);
int cli_decisions(struct cli *cli);
int cli_completion(struct cli *cli);

#endif
