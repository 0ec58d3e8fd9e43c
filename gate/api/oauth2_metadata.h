/* SPDX-License-Identifier: Apache-2.0 */
/* What the login server is and where (RFC 8414), at the place that goes with the access URL. */
#ifndef API_OAUTH2_METADATA_H
#define API_OAUTH2_METADATA_H

#include "../http/route.h"

route_handler api_oauth2_metadata;

#endif
