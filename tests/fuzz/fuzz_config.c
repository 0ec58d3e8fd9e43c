/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML file of any bytes is a configuration or has complaints, which are lines of text. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/config.h"
#include "link/provider.h"

static struct config_complaints complaints;

/* The bytes as a file that has a name. */
static int fuzz_file(const uint8_t *bytes, size_t size)
{
	int file = memfd_create("gatehouse.yaml", MFD_CLOEXEC);

	if (file < 0 || write(file, bytes, size) != (ssize_t)size || lseek(file, 0, SEEK_SET) != 0)
		abort();
	return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char flag[64];
	char *argv[] = {flag};
	char home[] = "HOME=/home/somebody";
	char *environment[] = {home, NULL};
	struct providers providers;
	struct config *config;
	int file = fuzz_file(bytes, size);
	bool help;

	memset(&complaints, 0, sizeof(complaints));
	(void)snprintf(flag, sizeof(flag), "--config=/proc/self/fd/%d", file);
	if (config_load(1, argv, environment, &config, &help, &complaints) != (complaints.count == 0))
		abort();
	(void)close(file);
	size_t before = complaints.count;
	if (config != NULL && providers_build(config, &providers, &complaints) != (complaints.count == before))
		abort();
	config_free(config);
	for (size_t i = 0; i < complaints.count; i++)
		if (complaints.lines[i][0] == '\0')
			abort();
	return 0;
}
