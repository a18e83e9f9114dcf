// SPDX-License-Identifier: GPL-2.0
/* A running bank whose lines the oracle reads until it kills it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define PATIENCE_US	60000000L

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

int victim_start(struct victim *victim, char *const *argv)
{
	int ends[2];

	if (pipe(ends))
		return -errno;
	victim->used = 0;
	victim->fd = ends[0];
	victim->pid = fork();
	if (!victim->pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execv(argv[0], argv);
		fprintf(stderr, "demo: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(ends[1]);
	return victim->pid < 0 ? -errno : 0;
}

/* Enter the whole lines of the buffer, keep the rest. */
static bool enter_lines(struct victim *victim, struct ledger *ledger)
{
	char *line = victim->buffer, *end;
	size_t left = victim->used;

	while ((end = memchr(line, '\n', left))) {
		*end = 0;
		if (!ledger_line(ledger, line))
			return false;
		left -= end + 1 - line;
		line = end + 1;
	}
	memmove(victim->buffer, line, left);
	victim->used = left;
	return true;
}

/* Read once: 1 there may be more, 0 the end, -1 a fault. */
static int hear(struct victim *victim, struct ledger *ledger)
{
	ssize_t n = read(victim->fd, victim->buffer + victim->used,
			 sizeof(victim->buffer) - victim->used);

	if (n <= 0)
		return 0;
	victim->used += n;
	return enter_lines(victim, ledger) ? 1 : -1;
}

bool victim_listen(struct victim *victim, struct ledger *ledger, long us)
{
	struct pollfd poll_fd = { .fd = victim->fd, .events = POLLIN };
	uint64_t before = ledger->transfers;
	long end = now_us() + (us < 0 ? PATIENCE_US : us), left;
	struct timespec wait;

	while ((left = end - now_us()) > 0) {
		wait = (struct timespec){ left / 1000000, left % 1000000 * 1000 };
		if (ppoll(&poll_fd, 1, &wait, NULL) <= 0)
			continue;
		if (hear(victim, ledger) <= 0)
			return ledger_fault(ledger, "the bank ended by itself");
		if (us < 0 && ledger->transfers > before)
			return true;
	}
	return us >= 0 || ledger_fault(ledger, "the bank did nothing for a minute");
}

bool victim_kill(struct victim *victim, struct ledger *ledger)
{
	int status = 0, heard;

	kill(victim->pid, SIGKILL);
	do
		heard = hear(victim, ledger);
	while (heard > 0);
	close(victim->fd);
	while (waitpid(victim->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return !heard;
	return ledger_fault(ledger, "the bank ended by itself: status %#x", status);
}
