/* SPDX-License-Identifier: Apache-2.0 */
/* Health: see health.h. Alive means that the process answers; ready means that traffic may come, which needs the
 * database. A provider that is down makes nobody unready: every replica would be, and users would see nothing at all.
 */
#include "health.h"

#include "../base/metrics.h"
#include "../base/text.h"
#include "../http/service.h"

static bool say_status(struct reply *reply, const char *status)
{
	struct json *root = json_new_object();

	json_add_string(root, "status", status);
	reply_json(reply, 200, root);
	return true;
}

bool api_health_live(const struct request *request, struct reply *reply, struct problem *problem)
{
	(void)request;
	(void)problem;
	return say_status(reply, "ok");
}

bool api_health_ready(const struct request *request, struct reply *reply, struct problem *problem)
{
	if (atomic_load(&request->service->draining))
		return problem_set(problem, PROBLEM_DRAINING, "This service is stopping; send traffic elsewhere.");
	if (!store_ping(request->service->store, problem))
		return false;
	return say_status(reply, "ready");
}

bool api_health_metrics(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct text text = text_in(request->arena);

	(void)problem;
	metrics_write(&text);
	reply_text(reply, 200, "text/plain; version=0.0.4; charset=utf-8", text.bytes);
	return true;
}
