/* SPDX-License-Identifier: Apache-2.0 */
/* Which texts from outside are lawful names, ids, paths and URLs. Each function reads at most one byte beyond its
 * bound, so it may be asked about text of any length. Only ASCII classes: no locale decides what a letter is. */
#include <stdint.h>
#include <string.h>

#include "policy.h"

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_lower(char byte)
{
	return byte >= 'a' && byte <= 'z';
}

static char to_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static bool is_hex(char byte)
{
	char lower = to_lower(byte);

	return is_digit(lower) || (lower >= 'a' && lower <= 'f');
}

static bool is_name_byte(char byte)
{
	return is_lower(byte) || is_digit(byte) || byte == '-';
}

static bool is_request_id_byte(char byte)
{
	return is_lower(to_lower(byte)) || is_digit(byte) || (byte != '\0' && strchr("._:+/=-", byte) != NULL);
}

static bool is_host_byte(char byte)
{
	return is_lower(to_lower(byte)) || is_digit(byte) || byte == '-' || byte == '.' || byte == '_';
}

/* Printable ASCII without the blank. Browsers read a backslash in a URL as a slash, so it is not one of them. */
static bool is_url_byte(char byte)
{
	return byte > ' ' && byte < 0x7f && byte != '\\';
}

/* Everything but blanks and controls; bytes from 0x80 on are UTF-8, which the body's reader has checked. */
static bool is_email_byte(char byte)
{
	return (unsigned char)byte > ' ' && byte != 0x7f;
}

/* 1 to bytes_max bytes, each one lawful. */
static bool consists_of(const char *text, size_t bytes_max, bool (*is_lawful)(char byte))
{
	size_t length = 0;

	for (; text[length] != '\0'; length++)
		if (length >= bytes_max || !is_lawful(text[length]))
			return false;
	return length > 0;
}

bool name_is_provider_id(const char *text)
{
	return consists_of(text, PROVIDER_ID_BYTES_MAX, is_name_byte);
}

bool name_is_workspace(const char *text)
{
	return consists_of(text, NAME_BYTES_MAX, is_name_byte);
}

/* A {user} in a path is `me`, a name or a UUID; a name must not be able to mean one of the others. */
_Static_assert(NAME_BYTES_MAX < UUID_BYTES, "a user's name is too short to look like a UUID");

bool name_is_user(const char *text)
{
	if (!consists_of(text, NAME_BYTES_MAX, is_name_byte))
		return false;
	return strcmp(text, "me") != 0 && strcmp(text, "prebuilds") != 0;
}

bool name_is_template(const char *text)
{
	return consists_of(text, TEMPLATE_NAME_BYTES_MAX, is_name_byte) && !name_is_uuid(text);
}

bool name_is_uuid(const char *text)
{
	for (size_t i = 0; i < UUID_BYTES; i++) {
		bool is_hyphen_place = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_hyphen_place ? text[i] != '-' : !is_hex(text[i]))
			return false;
	}
	return text[UUID_BYTES] == '\0';
}

bool name_is_email(const char *text)
{
	if (!consists_of(text, EMAIL_BYTES_MAX, is_email_byte))
		return false;

	const char *at = strchr(text, '@');
	return at != NULL && at != text && at[1] != '\0' && strchr(at + 1, '@') == NULL;
}

bool name_is_request_id(const char *text)
{
	return consists_of(text, REQUEST_ID_BYTES_MAX, is_request_id_byte);
}

bool name_is_local_path(const char *text)
{
	if (text[0] != '/' || !consists_of(text, REDIRECT_BYTES_MAX, is_url_byte))
		return false;

	/* Two slashes begin an authority, at the start or once somebody has removed the dots of "/.//host". */
	size_t path_bytes = strcspn(text, "?#");
	for (size_t i = 1; i < path_bytes; i++)
		if (text[i - 1] == '/' && text[i] == '/')
			return false;
	return true;
}

/* --- provider URLs: RFC 3986 section 3.2 -------------------------------------------------------------------------- */

/* A piece of a text. */
struct span {
	const char *start;
	size_t length;
};

static bool begins_with(const char *text, const char *lower_prefix)
{
	for (; *lower_prefix != '\0'; text++, lower_prefix++)
		if (to_lower(*text) != *lower_prefix)
			return false;
	return true;
}

static bool span_is(struct span span, const char *lower_word)
{
	return strlen(lower_word) == span.length && begins_with(span.start, lower_word);
}

/* One decimal octet at *text, moved past it. A leading zero means octal to some parsers and is refused. */
static bool skip_octet(struct span *text, unsigned *ret_octet)
{
	size_t digits = 0;

	*ret_octet = 0;
	while (digits < text->length && digits < 3 && is_digit(text->start[digits]))
		*ret_octet = *ret_octet * 10 + (unsigned)(text->start[digits++] - '0');
	if (digits == 0 || *ret_octet > 255 || (digits > 1 && text->start[0] == '0'))
		return false;
	*text = (struct span){text->start + digits, text->length - digits};
	return true;
}

/* 127.0.0.0/8 in four whole octets: "127.1" and "127.0.0.1.example.com" are something else. */
static bool is_loopback_ipv4(struct span host)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned octet;

		if (i > 0) {
			if (host.length == 0 || *host.start != '.')
				return false;
			host = (struct span){host.start + 1, host.length - 1};
		}
		if (!skip_octet(&host, &octet) || (i == 0 && octet != 127))
			return false;
	}
	return host.length == 0;
}

static bool is_loopback(struct span host)
{
	return span_is(host, "localhost") || span_is(host, "[::1]") || is_loopback_ipv4(host);
}

/* The host at the start of an authority; its length is 0 where there is none or it holds a byte that no host has. */
static struct span host_of(struct span authority)
{
	size_t length = 0;

	if (authority.length > 0 && authority.start[0] == '[') {
		for (length = 1; length < authority.length && authority.start[length] != ']'; length++)
			if (!is_hex(authority.start[length]) && strchr(":.", authority.start[length]) == NULL)
				return (struct span){authority.start, 0};
		bool is_closed = length < authority.length && length > 2;
		return (struct span){authority.start, is_closed ? length + 1 : 0};
	}
	while (length < authority.length && is_host_byte(authority.start[length]))
		length++;
	return (struct span){authority.start, length};
}

/* Nothing, or a colon and a port from 1 to 65535. */
static bool is_port_part(struct span text)
{
	uint32_t port = 0;

	if (text.length == 0)
		return true;
	if (text.start[0] != ':' || text.length > sizeof(":65535") - 1)
		return false;
	for (size_t i = 1; i < text.length; i++) {
		if (!is_digit(text.start[i]))
			return false;
		port = port * 10 + (uint32_t)(text.start[i] - '0');
	}
	return port >= 1 && port <= 65535;
}

bool name_is_provider_url(const char *text)
{
	if (!consists_of(text, URL_BYTES_MAX, is_url_byte) || strchr(text, '#') != NULL)
		return false;

	bool is_https = begins_with(text, "https://");
	if (!is_https && !begins_with(text, "http://"))
		return false;

	const char *start = text + strlen(is_https ? "https://" : "http://");
	struct span authority = {start, strcspn(start, "/?")};
	struct span host = host_of(authority);
	struct span rest = {host.start + host.length, authority.length - host.length};
	if (host.length == 0 || !is_port_part(rest))
		return false;
	return is_https || is_loopback(host);
}
