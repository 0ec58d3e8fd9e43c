#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every error code the service can say is in the document, and every code of the document can be said.
# Usage: openapi_codes.sh ROOT
set -eu

exec sh "$(dirname "$0")/same_words.sh" "$1/include/problem.h" PROBLEM "$1/schema/openapi.yaml" ErrorCode
