/* SPDX-License-Identifier: Apache-2.0 */
/* What a refusal does, by scope and moment: reading a setting, and which of three is effective. What is not known is
 * treated as the strictest: nobody says anything is deny. */
#include <string.h>

#include "policy.h"

/* The longest word there is, with room. */
#define WORD_BYTES_MAX 16

static const struct enforcement_setting silent;

/* A preflight shows states and enforces nothing, so nothing can be said of it. */
static bool moment_is_enforced(enum moment moment)
{
	return moment != MOMENT_COUNT && moment != MOMENT_PREFLIGHT;
}

static enum enforcement *place_of(struct enforcement_setting *setting, const char *moment_text)
{
	enum moment moment = moment_from_word(moment_text);

	return moment_is_enforced(moment) ? &setting->at[moment] : NULL;
}

/* "warn" or "autostart=warn"; each place is written once. */
static bool read_part(char *part, struct enforcement_setting *setting)
{
	char *equals = strchr(part, '=');
	enum enforcement *place = &setting->general;

	if (equals != NULL) {
		*equals = '\0';
		place = place_of(setting, part);
	}
	enum enforcement word = enforcement_from_word(equals != NULL ? equals + 1 : part);
	if (place == NULL || *place != ENFORCEMENT_INHERIT || word == ENFORCEMENT_COUNT)
		return false;
	*place = word;
	return true;
}

bool enforcement_setting_read(const char *text, struct enforcement_setting *ret_setting)
{
	*ret_setting = silent;
	while (*text != '\0') {
		char part[2 * WORD_BYTES_MAX];
		size_t size = strcspn(text, ",");

		if (size >= sizeof(part) || (text[size] == ',' && text[size + 1] == '\0'))
			break;
		memcpy(part, text, size);
		part[size] = '\0';
		if (!read_part(part, ret_setting))
			break;
		text += size + (text[size] == ',' ? 1 : 0);
	}
	if (*text == '\0')
		return true;
	*ret_setting = silent;
	return false;
}

static enum enforcement said(const struct enforcement_setting *setting, enum moment moment)
{
	if ((unsigned)moment < MOMENT_COUNT && setting->at[moment] != ENFORCEMENT_INHERIT)
		return setting->at[moment];
	return setting->general;
}

enum enforcement enforcement_effective(const struct enforcement_setting *provider,
	const struct enforcement_setting *template, const struct enforcement_setting *deployment, enum moment moment)
{
	switch (enforcement_scope(provider, template, deployment, moment)) {
	case SCOPE_PROVIDER:
		return said(provider, moment);
	case SCOPE_TEMPLATE:
		return said(template, moment);
	case SCOPE_DEPLOYMENT:
		return said(deployment, moment);
	case SCOPE_DEFAULT:
	case SCOPE_COUNT:
		break;
	}
	return ENFORCEMENT_DENY;
}

enum scope enforcement_scope(const struct enforcement_setting *provider, const struct enforcement_setting *template,
	const struct enforcement_setting *deployment, enum moment moment)
{
	if (said(provider, moment) != ENFORCEMENT_INHERIT)
		return SCOPE_PROVIDER;
	if (said(template, moment) != ENFORCEMENT_INHERIT)
		return SCOPE_TEMPLATE;
	if (said(deployment, moment) != ENFORCEMENT_INHERIT)
		return SCOPE_DEPLOYMENT;
	return SCOPE_DEFAULT;
}
