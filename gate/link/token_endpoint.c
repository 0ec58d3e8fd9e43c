/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a token endpoint with the credentials the provider takes: those that it took last first, then the others. Only
 * a refusal of the client leads to another try: it spends neither code nor refresh token (RFC 6749 section 5.2), and
 * everything else might. */
#include "token_endpoint.h"

/* 401 is the status of a refused client (RFC 6749 section 5.2); some send it without the word. */
static bool is_client_refused(const struct token_reply *reply)
{
	if (reply->transport != TRANSPORT_ANSWERED)
		return false;
	return reply->class == GRANT_OPERATOR || (reply->status == 401 && reply->error[0] == '\0');
}

/* An answer about the grant itself means that the client was recognised. */
static bool is_client_taken(const struct token_reply *reply)
{
	return reply->class == GRANT_GRANTED || reply->class == GRANT_USER;
}

struct token_reply token_endpoint_ask(
	struct engine *engine, struct provider *provider, const struct token_question *question, struct arena *arena)
{
	struct credentials tries[CREDENTIALS_MAX];
	size_t count =
		question->is_device ? credentials_list_device(provider, tries) : credentials_list(provider, tries);
	struct token_reply reply = {.class = GRANT_NOT_SENT, .transport = TRANSPORT_NOT_SENT};

	for (size_t i = 0; i < count && !deadline_passed(question->deadline); i++) {
		struct http_request request =
			credentials_request(provider, &tries[i], provider->token_url, question->form, arena);

		request.purpose = question->purpose;
		request.deadline = question->deadline;
		struct http_answer answer = http_client_ask_provider(engine->http, &request, arena);
		reply = token_answer_read(provider, &answer, arena);
		if (is_client_taken(&reply))
			credentials_remember(provider, tries[i].style);
		if (!is_client_refused(&reply))
			return reply;
	}
	/* Whatever was remembered is no longer good: next time every way is tried. */
	if (is_client_refused(&reply))
		credentials_forget(provider);
	return reply;
}
