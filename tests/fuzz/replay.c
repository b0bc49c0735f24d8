/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay FOLDER - runs a fuzz target once over each file of its corpus, and
 * over the empty input. Fails if the folder is missing or holds no file.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input in memory of exactly its size, so that ASan sees one byte too far. */
static int replay_file(int folder, const char *name)
{
	struct stat status;
	uint8_t *data;
	ssize_t got;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_size > (off_t)INPUT_MAX) {
		fprintf(stderr, "replay: cannot use %s\n", name);
		return -1;
	}
	data = malloc((size_t)status.st_size + !status.st_size);
	got = data ? read(fd, data, (size_t)status.st_size) : -1;
	close(fd);
	if (got == status.st_size) {
		LLVMFuzzerTestOneInput(data, (size_t)got);
	}
	free(data);
	return got == status.st_size ? 0 : -1;
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	unsigned count = 0;

	if (!folder) {
		fprintf(stderr, "replay: no corpus\n");
		return 1;
	}
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.') {
			continue;
		}
		if (replay_file(dirfd(folder), entry->d_name) < 0) {
			return 1;
		}
		count++;
	}
	closedir(folder);
	printf("%u inputs\n", count);
	return count > 0 ? 0 : 1;
}
