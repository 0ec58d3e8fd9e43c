/* SPDX-License-Identifier: Apache-2.0 */
/* The table of client commands: see commands.h. */
#include "commands.h"

#include <string.h>

static const struct cli_option login_options[] = {
	{"--store", "WHERE", "file (default) or keyring: where the tokens are kept"},
	{"--no-browser", NULL, "only print what to open"},
};
static const struct cli_option logout_options[] = {
	{"--local", NULL, "forget the login here without telling the service"},
};
static const struct cli_option check_options[] = {
	{"--owner", "USER", "whose workspace it would be; you, when not given"},
};
static const struct cli_option create_options[] = {
	{"--template", "TEMPLATE", "name or id of the template; needed"},
	{"--owner", "USER", "whose workspace it will be; you, when not given"},
	{"--claim-prebuild", "WHEN", "never (default), prefer or require one that is built already"},
	{"--parameter", "NAME=VALUE", "a parameter of the template; may be repeated"},
	{"--wait", NULL, "where accounts must be connected first, wait until they are"},
	{"--timeout", "TIME", "how long --wait waits; 15m when not given"},
};
static const struct cli_option connect_options[] = {
	{"--device", NULL, "enter a code at the provider instead of opening a link here"},
	{"--force", NULL, "connect again although it is connected"},
	{"--no-wait", NULL, "print what to open and end"},
	{"--no-browser", NULL, "only print what to open"},
	{"--timeout", "TIME", "how long to wait; 5m when not given"},
};
static const struct cli_option git_options[] = {
	{"--provider", "PROVIDER", "whose token git gets; else the one whose REGEX or preset the URL is of"},
};
static const struct cli_option decisions_options[] = {
	{"--owner", "USER", "of this owner"},
	{"--outcome", "WORD", "allowed, refused or unverifiable"},
	{"--reason", "WORD", "with this reason, such as not_linked"},
	{"--since", "TIME", "not older, such as 2026-01-31T08:00:00Z"},
	{"--limit", "N", "so many of the newest, up to 200"},
	{"--after-id", "ID", "only older ones than this one"},
};

#define OPTIONS(list) .option_count = COUNT_OF(list), .options = (list)

const struct cli_command CLI_COMMANDS[] = {
	{.name = "login",
		.usage = "",
		.summary = "log in to a service (once; the login renews itself)",
		.about = "Shows a code and an address: open it in any browser, compare the code, approve. On a desktop "
			 "the\nbrowser opens by itself. The login is kept in $XDG_STATE_HOME/gatehouse and renews "
			 "itself.",
		OPTIONS(login_options),
		.begins_here = true,
		.run = cli_login},
	{.name = "logout",
		.usage = "",
		.summary = "end the login, at the service and here",
		.about = "Ends the login at the service, then forgets it here. Where the service cannot be told, the "
			 "login stays,\nand --local forgets it here alone.",
		OPTIONS(logout_options),
		.run = cli_logout},
	{.name = "whoami",
		.usage = "",
		.summary = "who you are, and where",
		.about = "Says who you are to the service.",
		.run = cli_whoami},
	{.name = "status",
		.usage = "",
		.summary = "your connected accounts, and what is wrong with them",
		.about = "Lists every provider of the service, whether you have connected your account there, and what "
			 "to do where\nit does not work. --verbose says which files are used.",
		.run = cli_status},
	{.name = "check",
		.usage = "TEMPLATE",
		.summary = "would a workspace of this template be allowed?",
		.about = "Asks the gate without creating anything. Ends with 3 where it says no, and names for each "
			 "provider the\ncommand or the link that mends it; with 5 where it cannot tell right now.",
		.arguments_min = 1,
		.arguments_max = 1,
		OPTIONS(check_options),
		.run = cli_check},
	{.name = "create",
		.usage = "NAME",
		.summary = "create a workspace",
		.about = "Creates a workspace of a template. Ends with 3 where the gate says no, and names for each "
			 "provider the\ncommand or the link that mends it; --wait waits for that and creates then. A "
			 "request whose answer was\nlost is sent again with the same Idempotency-Key, so it creates "
			 "one workspace.",
		.arguments_min = 1,
		.arguments_max = 1,
		OPTIONS(create_options),
		.run = cli_create},
	{.name = "connect",
		.usage = "PROVIDER",
		.summary = "connect your account at a provider",
		.about = "Opens the provider in your browser, or prints a link that is good for you alone, once, for "
			 "five minutes.\nOver ssh, where the provider can, it shows a code to enter on any device "
			 "instead. Waits until it is done.",
		.arguments_min = 1,
		.arguments_max = 1,
		OPTIONS(connect_options),
		.run = cli_connect},
	{.name = "disconnect",
		.usage = "PROVIDER",
		.summary = "disconnect your account at a provider",
		.about = "Removes the link, and asks the provider to revoke the token.",
		.arguments_min = 1,
		.arguments_max = 1,
		.run = cli_disconnect},
	{.name = "access-token",
		.usage = "PROVIDER",
		.summary = "print a valid access token of yours",
		.about = "Prints your access token at a provider, refreshed and checked, to stdout. Ends with 3 where "
			 "you must\nconnect your account first, with 5 where it cannot be told right now.",
		.arguments_min = 1,
		.arguments_max = 1,
		.run = cli_access_token},
	{.name = "git-credential",
		.usage = "get|store|erase",
		.summary = "a credential helper for git",
		.about = "Speaks git's credential protocol (gitcredentials(7)) on stdin and stdout. For one host:\n"
			 "  git config --global credential.https://git.example.com.helper '!gatehouse git-credential "
			 "--provider gitlab'\nWithout --provider, the well-known hosts mean the provider of their "
			 "kind: "
			 "github.com is `github`.\nNothing is ever given for http, and nothing is stored.",
		.arguments_min = 1,
		.arguments_max = 1,
		OPTIONS(git_options),
		.offline = true,
		.run = cli_git_credential},
	{.name = "decisions",
		.usage = "",
		.summary = "read the decision log (auditors, administrators)",
		.about = "Lists what the gate decided, newest first.",
		OPTIONS(decisions_options),
		.run = cli_decisions},
	{.name = "completion",
		.usage = "bash",
		.summary = "print the completion of a shell",
		.about = "Prints a script for bash:\n  source <(gatehouse completion bash)",
		.arguments_min = 1,
		.arguments_max = 1,
		.offline = true,
		.run = cli_completion},
};
const size_t CLI_COMMAND_COUNT = COUNT_OF(CLI_COMMANDS);

const struct cli_command *cli_command_find(const char *name)
{
	for (size_t i = 0; i < CLI_COMMAND_COUNT; i++) {
		if (strcmp(CLI_COMMANDS[i].name, name) == 0)
			return &CLI_COMMANDS[i];
	}
	return NULL;
}
