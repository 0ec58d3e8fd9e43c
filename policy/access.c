/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: contract sections 4 and 6 as one table. Everything it does not say is denied. */
#include "must_check.h"
#include "policy.h"

#define TEMPLATE_AUTHOR (1u << ROLE_TEMPLATE_AUTHOR)
#define CONTROL_PLANE (1u << ROLE_CONTROL_PLANE)
#define PROVISIONER (1u << ROLE_PROVISIONER)
#define AUDITOR (1u << ROLE_AUDITOR)
#define ADMIN (1u << ROLE_ADMIN)
#define ANY_ROLE ((1u << ROLE_COUNT) - 1)
#define NOBODY 0u

/* own: who may do it to their own user (or, where an action has no subject, simply who may do it). other: who may do it
 * to somebody else. never_other: a role that forbids it to somebody else, whatever other roles the caller has. */
static const struct {
	role_set own;
	role_set other;
	role_set never_other;
} rules[] = {
	[ACTION_USER_CREATE] = {ADMIN | CONTROL_PLANE, ADMIN | CONTROL_PLANE, NOBODY},
	[ACTION_USER_READ] = {ANY_ROLE, ADMIN | CONTROL_PLANE, NOBODY},
	[ACTION_USER_LIST] = {ADMIN | CONTROL_PLANE, ADMIN | CONTROL_PLANE, NOBODY},
	[ACTION_USER_CHANGE] = {ADMIN | CONTROL_PLANE, ADMIN | CONTROL_PLANE, NOBODY},
	[ACTION_USER_DELETE] = {ADMIN | CONTROL_PLANE, ADMIN | CONTROL_PLANE, NOBODY},
	/* A control plane that could hand out roles could make itself administrator. */
	[ACTION_ROLE_GRANT] = {ADMIN, ADMIN, NOBODY},
	[ACTION_TOKEN_MANAGE] = {ANY_ROLE, ADMIN, NOBODY},
	[ACTION_TEMPLATE_WRITE] = {ADMIN | TEMPLATE_AUTHOR, ADMIN | TEMPLATE_AUTHOR, NOBODY},
	[ACTION_TEMPLATE_READ] = {ANY_ROLE, ANY_ROLE, NOBODY},
	[ACTION_WORKSPACE_CREATE] = {ANY_ROLE, ADMIN | CONTROL_PLANE, NOBODY},
	[ACTION_WORKSPACE_READ] = {ANY_ROLE, ADMIN | CONTROL_PLANE, NOBODY},
	[ACTION_PREFLIGHT] = {ANY_ROLE, ADMIN | CONTROL_PLANE, NOBODY},
	[ACTION_LINK_READ] = {ANY_ROLE, ADMIN | CONTROL_PLANE, NOBODY},
	[ACTION_LINK_IMPORT] = {ADMIN | CONTROL_PLANE, ADMIN | CONTROL_PLANE, NOBODY},
	/* No role sees another's token; a provisioner gets those of its builds. */
	[ACTION_LINK_TOKEN] = {ANY_ROLE, NOBODY, NOBODY},
	[ACTION_LINK_REMOVE] = {ANY_ROLE, NOBODY, NOBODY},
	/* Who opens the URL lends their own account at the provider, so no administrator may finish an owner's link,
	 * not even one who is a control plane as well. */
	[ACTION_LINK_URL] = {ANY_ROLE, CONTROL_PLANE, ADMIN},
	[ACTION_CHECK] = {ANY_ROLE, ADMIN | CONTROL_PLANE, NOBODY},
	/* Only a control plane knows users that this service does not. */
	[ACTION_OWNER_UNSEEN] = {NOBODY, CONTROL_PLANE, NOBODY},
	[ACTION_BUILD_READ] = {ANY_ROLE, ADMIN | CONTROL_PLANE | PROVISIONER, NOBODY},
	/* An owner who could call a start of their own an autostart would choose the milder enforcement. */
	[ACTION_BUILD_AUTOSTART] = {ADMIN | CONTROL_PLANE, ADMIN | CONTROL_PLANE, NOBODY},
	[ACTION_PREBUILD_CREATE] = {ADMIN | CONTROL_PLANE, ADMIN | CONTROL_PLANE, NOBODY},
	/* Whoever takes builds is handed tokens, which no administrator may see. */
	[ACTION_PROVISION] = {PROVISIONER, PROVISIONER, NOBODY},
	[ACTION_IMPACT_READ] = {ADMIN | TEMPLATE_AUTHOR, ADMIN | TEMPLATE_AUTHOR, NOBODY},
	[ACTION_DECISION_READ] = {ADMIN | AUDITOR, ADMIN | AUDITOR, NOBODY},
	[ACTION_RECEIPT_VERIFY] = {ANY_ROLE, ADMIN | CONTROL_PLANE | PROVISIONER, NOBODY},
	[ACTION_EXEMPTION_WRITE] = {ADMIN, ADMIN, NOBODY},
	[ACTION_EXEMPTION_READ] = {ADMIN | AUDITOR, ADMIN | AUDITOR, NOBODY},
};

bool access_allows(role_set roles, enum action action, bool own)
{
	if ((unsigned)action >= COUNT_OF(rules))
		return false;
	if (own)
		return (roles & rules[action].own) != 0;
	if ((roles & rules[action].never_other) != 0)
		return false;
	return (roles & rules[action].other) != 0;
}
