/* SPDX-License-Identifier: Apache-2.0 */
/* `access-token` and `git-credential`: a token of one provider, asked of the service when it is needed and kept
 * nowhere. One request, and for git one before it, which provider the host is. */
#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "api.h"
#include "commands.h"
#include "output.h"

static bool ask_token(struct cli *cli, const char *provider, struct api_answer *ret_answer, struct problem *problem)
{
	const char *path = api_path(cli, "/api/v2/users/me/external-auth/%s/token", api_escape(cli, provider));

	return api_call(cli, &(struct api_request){.method = "GET", .path = path}, ret_answer, problem);
}

/* The gate's no, with what mends it. */
static int say_why(struct cli *cli, const struct api_answer *answer, const struct problem *problem)
{
	int code = cli_fail(cli, problem);

	if (code == EXIT_REFUSED)
		output_states(cli, json_member(answer->json, "external_auth"), true, stderr);
	return code;
}

int cli_access_token(struct cli *cli)
{
	SCOPED(api_answer_release) struct api_answer answer;
	struct problem problem = {.kind = PROBLEM_NONE};

	if (!ask_token(cli, cli->arguments[0], &answer, &problem)) {
		/* As at a create: the gate's no is its answer. */
		if (cli->json && json_member(answer.json, "external_auth") != NULL)
			api_print(&answer);
		return say_why(cli, &answer, &problem);
	}
	if (cli->json)
		api_print(&answer);
	else
		(void)printf("%s\n", api_text(answer.json, "access_token"));
	return EXIT_DONE;
}

/* --- git --------------------------------------------------------------------------------------------------------- */

/* Hosts that most providers here are of: who is asked for one of them is told of trouble. Whose they are, the service
 * says: a provider may have a vendor's name and be somebody's own server. */
static const char *const known_hosts[] = {
	"github.com", "gist.github.com", "gitlab.com", "gitea.com", "bitbucket.org", "dev.azure.com"};

/* gitcredentials(7): `key=value` lines up to an empty one; git's own are at most some hundred bytes. */
#define GIT_LINE_BYTES_MAX 8192

struct git_request {
	char protocol[32];
	char host[256];
	char path[1024];
};

/* What does not fit is of no host that is known here. */
static void keep_value(const char *value, char *ret_value, size_t capacity)
{
	size_t size = strlen(value);

	ret_value[0] = '\0';
	if (size < capacity)
		memcpy(ret_value, value, size + 1);
}

static void read_line(const char *line, struct git_request *request)
{
	if (strncmp(line, "protocol=", 9) == 0)
		keep_value(line + 9, request->protocol, sizeof(request->protocol));
	else if (strncmp(line, "host=", 5) == 0)
		keep_value(line + 5, request->host, sizeof(request->host));
	else if (strncmp(line, "path=", 5) == 0)
		keep_value(line + 5, request->path, sizeof(request->path));
}

static void read_git_request(struct git_request *ret_request)
{
	char line[GIT_LINE_BYTES_MAX];

	*ret_request = (struct git_request){.protocol = ""};
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '\0')
			return;
		read_line(line, ret_request);
	}
}

static bool is_known(const struct git_request *request)
{
	for (size_t i = 0; i < COUNT_OF(known_hosts); i++) {
		if (strcmp(request->host, known_hosts[i]) == 0)
			return true;
	}
	return false;
}

/* A name or an address, with a port or without. git hands on a host decoded, and one with a slash in it would be read
 * as another host and a path. */
static bool is_host(const char *host)
{
	static const char lawful[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";

	return *host != '\0' && host[strspn(host, lawful)] == '\0';
}

/* The provider whose tokens are for such a URL; NULL where there is none. */
static bool ask_provider(
	struct cli *cli, const struct git_request *request, const char **ret_provider, struct problem *problem)
{
	SCOPED(api_answer_release) struct api_answer answer = {.body = ""};
	const char *slash = request->path[0] != '\0' ? "/" : "";
	const char *url = arena_printf(cli->arena, "https://%s%s%s", request->host, slash, request->path);
	const char *path = api_path(cli, "/api/v2/external-auth?url=%s", api_escape(cli, url));

	*ret_provider = NULL;
	if (!api_call(cli, &(struct api_request){.method = "GET", .path = path}, &answer, problem))
		return false;
	const struct json *first = json_first(json_member(answer.json, "providers"));

	/* A service that does not know the question lists every provider, and none of their tokens is for this host. */
	if (first != NULL && strcmp(api_text(answer.json, "url"), url) == 0)
		*ret_provider = arena_copy(cli->arena, api_text(first, "id"));
	return true;
}

/* A value with a line break would end in a line of its own, which git would believe (CVE-2020-5260). */
static bool print_pair(const char *name, const char *value)
{
	if (value[0] == '\0' || strpbrk(value, "\r\n") != NULL)
		return false;
	(void)printf("%s=%s\n", name, value);
	return true;
}

static int give(struct cli *cli, const char *provider)
{
	SCOPED(api_answer_release) struct api_answer answer = {.body = ""};
	struct problem problem = {.kind = PROBLEM_NONE};
	int64_t expires_at_ms = 0;

	if (!ask_token(cli, provider, &answer, &problem))
		return say_why(cli, &answer, &problem);
	if (!print_pair("username", api_text(answer.json, "username")) ||
		!print_pair("password", api_text(answer.json, "password")))
		return EXIT_FAILED;
	if (clock_parse_rfc3339(api_text(answer.json, "expires_at"), &expires_at_ms))
		(void)printf("password_expiry_utc=%lld\n", (long long)(expires_at_ms / 1000));
	return EXIT_DONE;
}

/* git asks its helpers in turn, so whatever is not for this one is passed over in silence, and for hosts that are
 * not known as ours trouble is, too. A token that the host refused (erase) is found out by the service, which asks the
 * provider before it gives it away again. */
int cli_git_credential(struct cli *cli)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	struct git_request request;
	const char *provider = cli_value(cli, "--provider");

	read_git_request(&request);
	if (strcmp(cli->arguments[0], "get") != 0 || strcmp(request.protocol, "https") != 0 || !is_host(request.host))
		return EXIT_DONE;
	/* Of a host that may be anybody's, no trouble is told either. */
	bool is_ours = provider != NULL || is_known(&request);
	if (!cli_resolve(cli, &problem) || (provider == NULL && !ask_provider(cli, &request, &provider, &problem)))
		return is_ours ? cli_fail(cli, &problem) : EXIT_DONE;
	return provider != NULL ? give(cli, provider) : EXIT_DONE;
}
