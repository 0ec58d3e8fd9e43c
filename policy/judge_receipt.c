/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what a receipt says is still true: stored facts against what was signed. Whoever starts a job asks this in
 * place of the providers, so everything that would make the gate look again makes the receipt void. */
#include "policy.h"

/* What is none of the answers that reading has is no receipt. */
static enum receipt_reason judge_reading(enum receipt_reason read)
{
	if (read == RECEIPT_GOOD || read == RECEIPT_UNKNOWN_KEY || read == RECEIPT_BAD_SIGNATURE)
		return read;
	return RECEIPT_MALFORMED;
}

static enum receipt_reason judge_owner(const struct receipt_facts *facts)
{
	if (facts->owner_named && !facts->owner_found)
		return RECEIPT_OWNER_GONE;
	if (facts->owner_found && facts->owner_suspended)
		return RECEIPT_OWNER_SUSPENDED;
	return RECEIPT_GOOD;
}

static enum receipt_reason judge_version(const struct receipt_facts *facts)
{
	if (!facts->version_named)
		return RECEIPT_GOOD;
	if (!facts->version_found)
		return RECEIPT_VERSION_GONE;
	return facts->version_archived ? RECEIPT_VERSION_ARCHIVED : RECEIPT_GOOD;
}

static enum receipt_reason judge_links(const struct receipt_facts *facts)
{
	for (size_t i = 0; i < facts->link_count; i++)
		if (facts->links[i].relied_on <= 0 || facts->links[i].stands != facts->links[i].relied_on)
			return RECEIPT_LINKS_CHANGED;
	return RECEIPT_GOOD;
}

enum receipt_reason judge_receipt(const struct receipt_facts *facts, int64_t now_ms)
{
	enum receipt_reason reason = judge_reading(facts->read);

	if (reason != RECEIPT_GOOD)
		return reason;
	if (now_ms >= facts->expires_at_ms)
		return RECEIPT_EXPIRED;
	reason = judge_owner(facts);
	if (reason == RECEIPT_GOOD)
		reason = judge_version(facts);
	return reason == RECEIPT_GOOD ? judge_links(facts) : reason;
}
