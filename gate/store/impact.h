/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored of the owners of a template's workspaces, told in classes: however many owners there are, those about
 * whom the same is stored are counted, not listed. What the facts mean is not said here. */
#ifndef STORE_IMPACT_H
#define STORE_IMPACT_H

#include "policy.h"
#include "store.h"

struct impact_question {
	const char *template_id;
	const struct requirements *requirements; /* of any version: links and exemptions at these providers count */
	int64_t now_ms;
};

/* One owner's link at one provider. Whether a key opens it is not known without opening it. */
struct impact_link {
	bool linked;
	bool has_refresh_token;
	bool expired;
	bool confirmed;         /* ever, in this generation */
	bool exempt;            /* by an exemption in force; linked or not */
	enum reason remembered; /* REASON_REFRESH_REJECTED, REASON_ROTATION_LOST or REASON_COUNT */
};

struct impact_class {
	int64_t owners;
	bool suspended;
	struct impact_link links[REQUIREMENTS_MAX]; /* in the order of the requirements */
};

/* Reads the classes of all owners of workspaces that are not deleted, but for the user `prebuilds`. The same facts may
 * come as several classes. There are at most as many as owners, so they are handed out one at a time and never all
 * copied; the caller owns *ret_classes. */
struct impact_classes;
MUST_CHECK bool impact_read(struct store *store, struct arena *arena, const struct impact_question *question,
	struct impact_classes **ret_classes, struct problem *problem);

/* The next class; false when there is none. */
bool impact_next(struct impact_classes *classes, struct impact_class *ret_class);

void impact_classes_release(struct impact_classes **classes); /* for SCOPED */

#endif
