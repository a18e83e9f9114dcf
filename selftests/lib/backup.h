/* SPDX-License-Identifier: GPL-2.0 */
/* What the suites of backups share: the tool of this build, and paths. */
#ifndef SELFTESTS_LIB_BACKUP_H
#define SELFTESTS_LIB_BACKUP_H

#include "api.h"

#include <limits.h>
#include <stdarg.h>

/* The tool of the build that this program is of: its exit code. */
static inline int tool(const char *format, ...)
{
	char path[PATH_MAX], command[3 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int up, used, status;
	va_list args;

	need(n > 0);
	path[n] = 0;
	for (up = 0; up < 3; up++)
		*strrchr(path, '/') = 0;
	used = snprintf(command, sizeof(command), "'%s/bin/rvm' ", path);
	va_start(args, format);
	vsnprintf(command + used, sizeof(command) - used, format, args);
	va_end(args);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline char *join(char *out, const char *dir, const char *name)
{
	need(snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX);
	return out;
}

static inline void remove_tree(const char *dir)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	need(!system(command));
}

#endif
