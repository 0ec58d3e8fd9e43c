/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes asks before it stores a workspace object: a validating webhook (admission.k8s.io/v1 AdmissionReview). */
#ifndef HOOK_ADMISSION_REVIEW_H
#define HOOK_ADMISSION_REVIEW_H

#include "../http/reply.h"
#include "../http/request.h"

/* 200 for every AdmissionReview, whatever it comes to and whoever asks: a cluster takes any other status for a failure
 * of the webhook, and what then happens is its failurePolicy's. A caller who may not ask for this owner is told so in
 * it. */
bool hook_admission_review(const struct request *request, struct reply *reply, struct problem *problem);

#endif
