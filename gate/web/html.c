/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of pages: see html.h. */
#include "html.h"

#include <inttypes.h>
#include <string.h>

#include "../base/clock.h"

void html_element(struct text *page, const char *tag, const char *content)
{
	if (content == NULL)
		return;
	text_addf(page, "<%s>", tag);
	text_add_html(page, content);
	text_addf(page, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

void html_attribute(struct text *page, const char *name, const char *value)
{
	if (value == NULL)
		return;
	text_addf(page, " %s=\"", name);
	text_add_html(page, value);
	text_add(page, "\"");
}

void html_link(struct text *page, const char *style, const char *address, const char *label)
{
	text_add(page, "<a");
	html_attribute(page, "class", style);
	html_attribute(page, "href", address);
	text_add(page, ">");
	text_add_html(page, label);
	text_add(page, "</a>\n");
}

void html_hidden(struct text *page, const char *name, const char *value)
{
	if (value == NULL)
		return;
	text_add(page, "<input type=\"hidden\"");
	html_attribute(page, "name", name);
	html_attribute(page, "value", value);
	text_add(page, ">\n");
}

void html_fact(struct text *page, const char *term, const char *content)
{
	if (content == NULL)
		return;
	html_element(page, "dt", term);
	html_element(page, "dd", content);
}

void html_form(struct text *page, const char *address, const char *csrf)
{
	text_add(page, "<form method=\"post\"");
	html_attribute(page, "action", address);
	text_add(page, ">\n");
	html_hidden(page, "csrf", csrf);
}

char *html_time(struct arena *arena, int64_t at_ms)
{
	const char *exact = at_ms == 0 ? NULL : clock_rfc3339(arena, at_ms);
	const char *clock = exact == NULL ? NULL : strchr(exact, 'T');

	if (clock == NULL)
		return NULL;
	return arena_printf(arena, "%.*s %.5s UTC", (int)(clock - exact), exact, clock + 1);
}

char *html_duration(struct arena *arena, int64_t duration_ms)
{
	static const struct {
		int64_t ms;
		const char *word;
	} units[] = {{86400000, "day"}, {3600000, "hour"}, {60000, "minute"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		int64_t count = duration_ms / units[i].ms;

		if (count > 0)
			return arena_printf(arena, "%" PRId64 " %s%s", count, units[i].word, count == 1 ? "" : "s");
	}
	return arena_copy(arena, "less than a minute");
}
