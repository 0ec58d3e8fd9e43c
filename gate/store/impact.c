/* SPDX-License-Identifier: Apache-2.0 */
/* Owners by class: see impact.h. impact_read.sql says how a class is written. */
#include "impact.h"

#include "call.h"

struct impact_classes {
	struct rows rows;
	size_t next;
};

/* A letter that is not known says nothing, and what nobody says is not so. */
static void read_letter(uint8_t letter, struct impact_link *link)
{
	switch (letter) {
	case 'l':
		link->linked = true;
		break;
	case 'r':
		link->has_refresh_token = true;
		break;
	case 'e':
		link->expired = true;
		break;
	case 'v':
		link->confirmed = true;
		break;
	case 'j':
		link->remembered = REASON_REFRESH_REJECTED;
		break;
	case 'o':
		link->remembered = REASON_ROTATION_LOST;
		break;
	case 'x':
		link->exempt = true;
		break;
	default:
		break;
	}
}

/* "1lr 3lev": places and letters. */
static void read_words(struct row *row, struct impact_link *links)
{
	size_t size = 0;
	size_t place = 0;
	const uint8_t *text = row_bytes(row, &size);

	for (size_t i = 0; i < size; i++) {
		if (text[i] == ' ')
			place = 0;
		else if (text[i] >= '0' && text[i] <= '9')
			place = place * 10 + (size_t)(text[i] - '0');
		else if (place >= 1 && place <= REQUIREMENTS_MAX)
			read_letter(text[i], &links[place - 1]);
	}
}

bool impact_read(struct store *store, struct arena *arena, const struct impact_question *question,
	struct impact_classes **ret_classes, struct problem *problem)
{
	const struct requirements *requirements = question->requirements;
	const char *providers[REQUIREMENTS_MAX];
	struct call call;

	for (size_t i = 0; i < requirements->count; i++)
		providers[i] = requirements->list[i].provider_id;
	call_read(&call, QUERY_IMPACT_READ);
	bind_text(&call, question->template_id);
	bind_texts(&call, arena, requirements->count, providers);
	bind_time_ms(&call, question->now_ms);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_classes = arena_alloc(arena, sizeof(**ret_classes));
	(*ret_classes)->rows = rows;
	rows = (struct rows){0};
	return true;
}

bool impact_next(struct impact_classes *classes, struct impact_class *ret_class)
{
	if (classes->next >= rows_count(&classes->rows))
		return false;

	struct row row = row_at(&classes->rows, classes->next++);
	*ret_class = (struct impact_class){.suspended = row_bool(&row)};
	for (size_t i = 0; i < REQUIREMENTS_MAX; i++)
		ret_class->links[i].remembered = REASON_COUNT;
	read_words(&row, ret_class->links);
	read_words(&row, ret_class->links);
	ret_class->owners = row_integer(&row);
	return true;
}

void impact_classes_release(struct impact_classes **classes)
{
	if (*classes != NULL)
		rows_release(&(*classes)->rows);
	*classes = NULL;
}
