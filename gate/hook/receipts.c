/* SPDX-License-Identifier: Apache-2.0 */
/* Verifying a receipt: see receipts.h. One round trip to the database and none to a provider. Who may not see the owner
 * learns nothing that the receipt does not say itself. */
#include "receipts.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/json_text.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/receipt.h"
#include "../store/receipts.h"

/* By id; an owner whom nobody had seen has but a name. */
static bool is_callers_own(const struct caller *caller, const struct receipt *receipt)
{
	if (receipt->owner_id != NULL)
		return strcmp(receipt->owner_id, caller->user_id) == 0;
	return strcmp(receipt->owner_name, caller->username) == 0;
}

/* Before the database is asked. What could not be read is nobody's. */
static bool authorise(const struct request *request, const struct receipt *receipt, struct problem *problem)
{
	if (is_callers_own(&request->caller, receipt) &&
		access_allows(request->caller.roles, ACTION_RECEIPT_VERIFY, true))
		return true;
	return subject_allow(request, ACTION_RECEIPT_VERIFY, problem);
}

static bool read_facts(const struct request *request, const struct receipt *receipt, struct receipt_facts *facts,
	struct problem *problem)
{
	struct receipt_link *links = arena_alloc(request->arena, sizeof(*links) * REQUIREMENTS_MAX);
	const char *provider_ids[REQUIREMENTS_MAX];
	const struct receipt_question question = {.owner_id = receipt->owner_id,
		.owner_name = receipt->owner_name,
		.version_id = receipt->version_id,
		.link_count = receipt->generation_count,
		.provider_ids = provider_ids};

	for (size_t i = 0; i < receipt->generation_count; i++) {
		provider_ids[i] = receipt->generations[i].provider_id;
		links[i].relied_on = receipt->generations[i].generation;
	}
	facts->expires_at_ms = receipt->expires_at_ms;
	facts->owner_named = receipt->owner_id != NULL;
	facts->version_named = receipt->version_id != NULL;
	facts->link_count = receipt->generation_count;
	facts->links = links;
	return receipt_facts_read(request->service->store, request->arena, &question, facts, links, problem);
}

static void tell(struct reply *reply, enum receipt_reason reason, const struct receipt *receipt)
{
	struct text text = text_in(reply->arena);

	json_text_open(&text, NULL, '{');
	json_text_bool(&text, "valid", reason == RECEIPT_GOOD);
	json_text_string(&text, "reason", reason == RECEIPT_GOOD ? NULL : receipt_reason_word(reason));
	json_text_string(&text, "decision_id", receipt->decision_id);
	json_text_string(&text, "owner", receipt->owner_name);
	json_text_string(&text, "template_version_id", receipt->version_id);
	json_text_string(&text, "expires_at", clock_rfc3339(reply->arena, receipt->expires_at_ms));
	json_text_close(&text, '}');
	reply->decision_id = receipt->decision_id;
	reply->outcome = reason == RECEIPT_GOOD ? "valid" : receipt_reason_word(reason);
	reply_json_text(reply, 200, text.bytes);
}

bool hook_receipt_verify(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *given = NULL;
	const struct json_field fields[] = {
		{.name = "receipt", .type = JSON_STRING, .target = &given, .required = true}};
	struct receipt_facts facts = {.read = RECEIPT_MALFORMED};
	struct receipt *receipt = arena_alloc(request->arena, sizeof(*receipt));

	if (!json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem))
		return false;
	facts.read = receipt_read(request->service->engine->receipts, given, request->arena, receipt);
	if (facts.read == RECEIPT_GOOD &&
		(!authorise(request, receipt, problem) || !read_facts(request, receipt, &facts, problem)))
		return false;
	if (facts.read != RECEIPT_GOOD)
		*receipt = (struct receipt){0}; /* nothing of it is known to be true */
	tell(reply, judge_receipt(&facts, clock_now_ms()), receipt);
	return true;
}
