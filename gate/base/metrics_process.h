/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of this process, under the names every Prometheus client library uses. */
#ifndef BASE_METRICS_PROCESS_H
#define BASE_METRICS_PROCESS_H

#include "text.h"

void metrics_process_write(struct text *text);

#endif
