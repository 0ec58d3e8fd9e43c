/* SPDX-License-Identifier: Apache-2.0 */
/* Refreshes under way in this process: one for each owner and provider, on threads of their own, so that no caller's
 * leaving, deadline or disconnect ends one. Whoever needs the same link's token joins the flight, waits with a deadline
 * of its own (waiter.h) and may leave; the flight goes on. */
#ifndef LINK_FLIGHT_H
#define LINK_FLIGHT_H

#include "refresh.h"
#include "waiter.h"

struct flights;

/* No thread yet: they are made when needed. Of one provider provider_max flights go on at once; more wait in line. Ends
 * the process where memory is out. engine must stay; it may be completed until the first flight. */
struct flights *flights_new(struct engine *engine, size_t provider_max);

/* For the end of the service, when nobody joins any more: flights that have not begun are dropped, those under way go
 * on to their end, also that of a save while the database is away, until the deadline. Then the threads are gone. */
void flights_drain(struct flights *flights, struct deadline deadline);

/* After flights_drain; NULL is nothing to do. */
void flights_free(struct flights *flights);

/* One caller's part in a flight. */
struct ticket;

/* Joins the flight of the question's owner and provider or starts it; never blocks. The question is copied where it is
 * needed. The ticket's end comes from the waiter with this tag. */
struct ticket *flight_join(
	struct flights *flights, const struct refresh_question *question, struct waiter *waiter, size_t tag);

/* How the flight ended, once the waiter has said so. A flight that was for another generation than the question's says
 * REFRESH_NOT_TRIED: the link is to be read again. */
struct refresh_outcome ticket_outcome(const struct ticket *ticket);

/* Whether another process is at it, and not this one: for who leaves before the end. */
bool ticket_is_elsewhere(const struct ticket *ticket);

/* Frees the ticket; a flight under way goes on. NULL is nothing to do. */
void ticket_leave(struct ticket *ticket);

#endif
