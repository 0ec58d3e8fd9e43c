/* SPDX-License-Identifier: Apache-2.0 */
/* The entry that libFuzzer and the replay call. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
