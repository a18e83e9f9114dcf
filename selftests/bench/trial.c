// SPDX-License-Identifier: GPL-2.0
/* One measurement of one subject, in a process of its own. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "scratch.h"
#include "trial.h"

void trial_run(trial_fn *fn, const struct setting *setting, struct outcome *outcome,
	       unsigned int count)
{
	size_t size = count * sizeof(*outcome);
	struct outcome *shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 1;
	pid_t pid;

	if (shared == MAP_FAILED)
		die("mmap", strerror(errno));
	scratch_empty(setting->dir);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		fn(setting, shared);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("a trial", "it failed");
	memcpy(outcome, shared, size);
	munmap(shared, size);
	scratch_empty(setting->dir);
}
