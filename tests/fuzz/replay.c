/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over every file of the folders named, and over each of its beginnings: a cut input is the
 * commonest hostile one. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define FILE_BYTES_MAX 65536

static int replay_file(const char *folder, const char *name)
{
	static uint8_t content[FILE_BYTES_MAX];
	char path[4096];
	FILE *file;
	size_t size;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (file == NULL)
		return 1;
	size = fread(content, 1, sizeof(content), file);
	(void)fclose(file);
	for (size_t cut = 0; cut <= size; cut++) {
		/* Copied to its exact size, so that reading beyond it is seen by AddressSanitizer. */
		uint8_t *input = malloc(cut + 1);

		if (input == NULL)
			return 1;
		memcpy(input, content, cut);
		input = realloc(input, cut == 0 ? 1 : cut);
		(void)LLVMFuzzerTestOneInput(input, cut);
		free(input);
	}
	return 0;
}

static int replay_folder(const char *folder)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry;
	int count = 0;

	if (directory == NULL)
		return 1;
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay_file(folder, entry->d_name) != 0)
			return 1;
		count++;
	}
	(void)closedir(directory);
	(void)printf("%s: %d files, and all their beginnings\n", folder, count);
	return count > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-')
			failed |= replay_folder(argv[i]);
	return failed;
}
