// SPDX-License-Identifier: GPL-2.0
/* A directory for the files of a measurement, and what the process wrote to disks. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "scratch.h"

void scratch_make(const char *dir, char path[PATH_MAX])
{
	if (snprintf(path, PATH_MAX, "%s/bench.XXXXXX", dir) >= PATH_MAX)
		die(dir, "it is too long");
	if (!mkdtemp(path))
		die(dir, strerror(errno));
}

void scratch_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

void scratch_remove(const char *path)
{
	scratch_empty(path);
	rmdir(path);
}

uint64_t scratch_written(void)
{
	FILE *file = fopen("/proc/self/io", "re");
	unsigned long bytes = 0;
	char line[64];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "write_bytes: %lu", &bytes) == 1)
			break;
	if (file)
		fclose(file);
	return bytes;
}
