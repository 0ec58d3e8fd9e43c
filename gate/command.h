/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands. Each gets what stands behind its name and returns the process's exit code. */
#ifndef COMMAND_H
#define COMMAND_H

int command_serve(int argc, char **argv);
int command_check_config(int argc, char **argv);
int command_migrate(int argc, char **argv);
int command_token(int argc, char **argv);
int command_keys(int argc, char **argv);

#endif
