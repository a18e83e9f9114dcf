// SPDX-License-Identifier: GPL-2.0
/* A transaction held open, and the proof that the segment has nothing of it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hold.h"
#include "image.h"

/**
 * struct holder - the process that holds the transaction
 * @site: where the bank is
 * @ledger: notes faults
 * @marker: what it stores
 * @go: the watcher writes a byte here when it has looked
 * @done: the holder writes the name of what it tried here
 */
struct holder {
	const struct site *site;
	struct ledger *ledger;
	uint64_t marker;
	int go[2];
	int done[2];
};

static bool forget_clean_pages(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd >= 0) {
		n = write(fd, "3", 1);
		close(fd);
	}
	return n == 1;
}

static bool sync_segment(const struct holder *holder)
{
	int fd = open(holder->site->segment, O_RDWR | O_CLOEXEC);
	bool ok = fd >= 0 && !fsync(fd);

	if (fd >= 0)
		close(fd);
	return ok;
}

static void *truncate_log(void *arg)
{
	*(rvm_return_t *)arg = rvm_truncate();
	return NULL;
}

/* The log is truncated by another thread beside the open transaction. */
static bool truncate_beside(void)
{
	rvm_return_t ret = RVM_EINTERNAL;
	pthread_t thread;

	if (pthread_create(&thread, NULL, truncate_log, &ret))
		return false;
	pthread_join(thread, NULL);
	return ret == RVM_SUCCESS;
}

/* Tell the watcher what was tried and wait until it has looked. */
static bool let_look(struct holder *holder, const char *what, bool worked)
{
	char name[32] = { 0 }, byte;

	if (!worked)
		return ledger_fault(holder->ledger, "%s failed beside an open transaction: %s (%s)",
				    what, rvm_error(), strerror(errno));
	snprintf(name, sizeof(name), "%s", what);
	return write(holder->done[1], name, sizeof(name)) == sizeof(name) &&
	       read(holder->go[0], &byte, 1) == 1;
}

/* A committed marker does reach the segment, else the watcher proves nothing. */
static bool commit_marker(struct holder *holder, struct bank *bank)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	if (rvm_begin_transaction(&tid, rvm_tracked))
		return false;
	memcpy(bank->notice, &holder->marker, sizeof(holder->marker));
	return !rvm_end_transaction(&tid, flush) && !rvm_truncate();
}

/* Put the marker on every page of the bank. */
static void store_marker(const struct holder *holder, struct bank *bank)
{
	uint64_t marker = ~holder->marker;
	unsigned int i;

	memcpy(bank->notice, &marker, sizeof(marker));
	for (i = 0; i < BANK_ACCOUNTS; i++)
		memcpy(&bank->account[i].balance, &marker, sizeof(marker));
	for (i = 0; i < BANK_TELLERS; i++)
		bank->teller[i].done = marker;
}

static bool try_everything(struct holder *holder, struct bank *bank, const rvm_region_t *region)
{
	/* Where nothing may be paged out to, the kernel refuses; that is fine as well. */
	return let_look(holder, "stores", true) &&
	       let_look(holder, "msync", !msync(bank, region->length, MS_SYNC)) &&
	       let_look(holder, "fsync", sync_segment(holder)) &&
	       let_look(holder, "sync", (sync(), true)) &&
	       let_look(holder, "rvm_flush", rvm_flush() == RVM_SUCCESS) &&
	       let_look(holder, "rvm_truncate", truncate_beside()) &&
	       let_look(holder, "MADV_PAGEOUT",
			!madvise(bank, region->length, MADV_PAGEOUT) || errno == EINVAL) &&
	       let_look(holder, "drop_caches", geteuid() || forget_clean_pages()) &&
	       let_look(holder, "the last look", true);
}

static void hold(struct holder *holder)
{
	rvm_region_t region;
	struct bank *bank = visit_open(holder->site, &region, holder->ledger);
	rvm_tid_t tid;

	if (!bank)
		_exit(1);
	if (!let_look(holder, "commit", commit_marker(holder, bank)))
		_exit(1);
	rvm_init_tid(&tid);
	if (rvm_begin_transaction(&tid, rvm_tracked))
		_exit(1);
	store_marker(holder, bank);
	try_everything(holder, bank, &region);
	_exit(1);
}

/* After each thing the holder tried: is the marker in the segment? */
static bool watch(struct holder *holder, unsigned int *looks)
{
	struct image image = { 0 };
	char what[32];
	bool control = true, last = false;

	while (!last && read(holder->done[0], what, sizeof(what)) == sizeof(what)) {
		if (image_read(&image, holder->site->segment))
			return ledger_fault(holder->ledger, "cannot read the segment");
		if (control && !image_count(&image, holder->marker))
			return ledger_fault(holder->ledger,
					    "no committed marker: the watcher is blind");
		if (image_count(&image, ~holder->marker))
			return ledger_fault(holder->ledger,
					    "LEAK: an open transaction, after %s", what);
		*looks += !control;
		control = false;
		last = !strcmp(what, "the last look");
		if (!last && write(holder->go[1], "", 1) != 1)
			break;
	}
	return last || ledger_fault(holder->ledger, "the process with the open transaction died");
}

/* The holder is dead: neither the segment nor the recovered bank knows its marker. */
static bool look_after_death(struct bank *bank, struct ledger *ledger, void *arg)
{
	struct holder *holder = arg;
	struct image image = { 0 };

	if (image_read(&image, holder->site->segment))
		return ledger_fault(ledger, "cannot read the segment");
	if (image_count(&image, ~holder->marker))
		return ledger_fault(ledger, "LEAK: the segment has stores of a dead transaction");
	if (memcmp(bank->notice, &holder->marker, sizeof(holder->marker)))
		return ledger_fault(ledger, "LOST: the committed marker is gone");
	return ledger_audit(ledger, bank, 0);
}

bool hold_open(const struct site *site, struct ledger *ledger, unsigned int *looks)
{
	struct holder holder = { .site = site, .ledger = ledger };
	bool ok;
	pid_t pid;

	if (getrandom(&holder.marker, sizeof(holder.marker), 0) != sizeof(holder.marker) ||
	    pipe(holder.go) || pipe(holder.done))
		return ledger_fault(ledger, "pipe: %s", strerror(errno));
	pid = fork();
	if (!pid)
		hold(&holder);
	close(holder.done[1]);
	close(holder.go[0]);
	ok = watch(&holder, looks);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(holder.done[0]);
	close(holder.go[1]);
	return ok && visit(site, ledger, look_after_death, &holder);
}
