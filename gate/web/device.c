/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a device code: see device.h. Nothing here approves by being looked at (RFC 8628 section 5.4). */
#include "device.h"

#include "html.h"

char *page_device_enter(struct arena *arena, const struct page_frame *frame, const char *given, const char *wrong)
{
	struct text page = page_open(arena, frame, "Let a command line in", true);

	html_element(&page, "p",
		"Your terminal shows a code of eight characters. Enter it here; you see what it is for "
		"before anything happens.");
	html_form(&page, page_address(arena, frame, "/device"), frame->csrf);
	text_add(&page, "<label for=\"code\">Code</label>\n<input id=\"code\" name=\"user_code\" type=\"text\" "
			"required "
			"autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"32\" "
			"placeholder=\"XXXX-XXXX\"");
	html_attribute(&page, "value", given);
	text_add(&page,
		wrong != NULL ? " aria-invalid=\"true\" aria-describedby=\"wrong\" autofocus>\n" : " autofocus>\n");
	if (wrong != NULL) {
		text_add(&page, "<div class=\"notice bad\" role=\"alert\" id=\"wrong\">");
		html_element(&page, "p", wrong);
		text_add(&page, "</div>\n");
	}
	text_add(&page, "<div class=\"actions\"><button>Go on</button></div>\n</form>\n");
	return page_close(&page, true);
}

/* "2030-01-31 12:00 UTC, 2 minutes ago" */
static char *when_of(struct arena *arena, const struct page_device *device)
{
	return arena_printf(arena, "%s, %s ago", html_time(arena, device->asked_at_ms),
		html_duration(arena, device->now_ms - device->asked_at_ms));
}

static const char *unless_empty(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
}

char *page_device_compare(struct arena *arena, const struct page_frame *frame, const struct page_device *device)
{
	struct text page = page_open(arena, frame, "Is this your command line?", true);

	html_element(&page, "p",
		"It gets in as you and may do what you may. Approve it only if you started it yourself "
		"and your terminal shows exactly this code:");
	html_element(&page, "p class=\"code\"", device->user_code);
	text_add(&page, "<dl>\n");
	html_fact(&page, "Program", device->client);
	html_fact(&page, "It says it is", unless_empty(device->agent));
	html_fact(&page, "Asked", when_of(arena, device));
	html_fact(&page, "From address", unless_empty(device->address));
	html_fact(&page, "It gets in as", frame->username);
	text_add(&page, "</dl>\n");
	html_element(&page, "p class=\"quiet\"",
		arena_printf(arena, "The code is good for %s more. Nobody who helps you ever needs you to approve one.",
			html_duration(arena, device->expires_at_ms - device->now_ms)));
	html_form(&page, page_address(arena, frame, "/device"), frame->csrf);
	html_hidden(&page, "user_code", device->user_code);
	text_add(&page, "<div class=\"actions\"><button name=\"decision\" value=\"approve\">Approve</button>\n"
			"<button class=\"second\" name=\"decision\" value=\"deny\">Deny</button></div>\n</form>\n");
	return page_close(&page, true);
}

char *page_device_done(struct arena *arena, const struct page_frame *frame, const char *client, bool approved)
{
	struct text page =
		page_open(arena, frame, approved ? "Your command line is in" : "Your command line stays out", true);

	html_element(&page, "p",
		approved ? arena_printf(arena, "%s gets in as %s within a few seconds.", client, frame->username)
			 : arena_printf(arena, "%s was told that you said no. It got nothing.", client));
	html_element(&page, "p",
		approved ? "You can close this window and go on in your terminal."
			 : "If you did not start it, somebody tried to get in as you: tell your operator.");
	return page_close(&page, true);
}
