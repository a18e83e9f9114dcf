// SPDX-License-Identifier: GPL-2.0
/* Trial of the bytes that reach disks in the long run: what the log takes, and truncation. */
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "scratch.h"
#include "tellers.h"
#include "trial.h"

#define LOOK_US		1000
#define TOO_LONG_NS	300000000000UL

/* struct mark - how far everything was when the head of the log moved */
struct mark {
	uint64_t ns;
	uint64_t done;
	uint64_t written;
	rvm_log_info_t log;
};

static void look(struct mark *mark)
{
	mark->ns = clock_ns();
	mark->done = tellers_done();
	mark->written = scratch_written();
	check("rvm_query_log", rvm_query_log(&mark->log));
}

static void wait_for_truncation(struct mark *mark)
{
	uint64_t start = clock_ns();
	rvm_log_info_t now;

	look(mark);
	do {
		usleep(LOOK_US);
		check("rvm_query_log", rvm_query_log(&now));
		if (clock_ns() - start > TOO_LONG_NS)
			die("truncation", "it does not come");
	} while (now.head == mark->log.head);
	look(mark);
}

static void commit(struct teller *teller)
{
	tpca_commit(teller, restore, flush);
}

/* From the end of one truncation to the end of the next: each log byte and each page once. */
void trial_bytes(const struct setting *setting, struct outcome *outcome)
{
	struct mark from, to;
	uint64_t done;

	tellers_start(setting, files_open(setting, 50), commit);
	wait_for_truncation(&from);
	wait_for_truncation(&to);
	tellers_end(0);
	done = to.done - from.done;
	outcome->rate = done / ((to.ns - from.ns) / 1e9);
	outcome->log_bytes = (double)(to.log.tail - from.log.tail) / done;
	outcome->disk_bytes = (double)(to.written - from.written) / done;
}
