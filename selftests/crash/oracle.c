// SPDX-License-Identifier: GPL-2.0
/* The oracle: what was acknowledged, kept where a crash of the worker cannot reach it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle.h"

struct oracle *oracle_open(const char *path)
{
	struct oracle *oracle = mmap(NULL, sizeof(*oracle), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (oracle == MAP_FAILED)
		return NULL;
	oracle->fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) :
		     memfd_create("acknowledged", MFD_CLOEXEC);
	if (oracle->fd >= 0)
		return oracle;
	munmap(oracle, sizeof(*oracle));
	return NULL;
}

void oracle_close(struct oracle *oracle)
{
	close(oracle->fd);
	munmap(oracle, sizeof(*oracle));
}

void oracle_note(struct oracle *oracle, size_t offset, uint64_t value)
{
	if (pwrite(oracle->fd, &value, sizeof(value), offset) != sizeof(value))
		_exit(99);
	if (oracle->noted)
		oracle->noted(oracle->arg, offset, value);
}

bool oracle_read(struct oracle *oracle, struct acknowledged *acknowledged)
{
	memset(acknowledged, 0, sizeof(*acknowledged));
	return pread(oracle->fd, acknowledged, sizeof(*acknowledged), 0) >= 0;
}

bool oracle_agrees(struct oracle *oracle)
{
	struct acknowledged told;
	unsigned int i = 0;

	if (!oracle_read(oracle, &told) || told.order > oracle->place)
		return false;
	while (i < WORK_THREADS && told.number[i] <= oracle->known[i])
		i++;
	return i == WORK_THREADS;
}

/* P2: what was acknowledged is there, and at most what was in flight besides. */
static bool judge_number(const struct acknowledged *acknowledged, uint64_t number,
			 unsigned int thread, const struct verdict *verdict, char *why, size_t size)
{
	uint64_t told = acknowledged->number[thread];

	if (number < told) {
		snprintf(why, size, "LOST: thread %u: %lu acknowledged, %lu found", thread, told,
			 number);
		return false;
	}
	if (verdict->flushed && number > told + 1) {
		snprintf(why, size, "thread %u: %lu acknowledged, but %lu found", thread, told,
			 number);
		return false;
	}
	return true;
}

/* P1: the data are what transactions 1 to @number make them, to the byte. */
static bool judge_data(struct oracle *oracle, const struct work_area *area, unsigned int thread,
		       char *why, size_t size)
{
	char *model = oracle->model[thread];
	uint64_t number = area->head.number;
	size_t i = 0;

	if (number < oracle->known[thread]) {
		snprintf(why, size, "LOST: thread %u: recovered %lu earlier, now %lu", thread,
			 oracle->known[thread], number);
		return false;
	}
	work_replay(model, thread, oracle->known[thread], number);
	oracle->known[thread] = number;
	if (!memcmp(model, area->data, WORK_BYTES))
		return true;
	while (model[i] == area->data[i])
		i++;
	snprintf(why, size, "TORN: thread %u after transaction %lu: byte %zu differs", thread,
		 number, i);
	return false;
}

static bool in_ring(const struct work_head *head, uint64_t order)
{
	unsigned int i;

	for (i = 0; i < WORK_ROUNDS; i++)
		if (head->order[i] == order)
			return true;
	return false;
}

static uint64_t newest(const struct work_head *head)
{
	return head->order[head->number % WORK_ROUNDS];
}

/* The oldest place that this ring still would tell; 0 if it never was full. */
static uint64_t oldest(const struct work_head *head)
{
	return head->number < WORK_ROUNDS ? 0 : head->order[(head->number + 1) % WORK_ROUNDS];
}

static bool in_any_ring(const struct work_area *area, uint64_t order)
{
	unsigned int thread = 0;

	while (thread < WORK_THREADS && !in_ring(&area[thread].head, order))
		thread++;
	return thread < WORK_THREADS;
}

/* P3: the commits that are there are the first ones, without a hole. */
static bool judge_order(const struct acknowledged *acknowledged, const struct work_area *area,
			uint64_t *found, char *why, size_t size)
{
	uint64_t top = 0, bottom = 0, place;
	unsigned int i;

	for (i = 0; i < WORK_THREADS; i++) {
		if (newest(&area[i].head) > top)
			top = newest(&area[i].head);
		if (oldest(&area[i].head) > bottom)
			bottom = oldest(&area[i].head);
	}
	*found = top;
	if (top < acknowledged->order) {
		snprintf(why, size, "LOST: flushed up to commit %lu, found up to %lu",
			 acknowledged->order, top);
		return false;
	}
	for (place = bottom + 1; place < top; place++) {
		if (!in_any_ring(area, place)) {
			snprintf(why, size, "HOLE: commit %lu is there, %lu before it is not", top,
				 place);
			return false;
		}
	}
	return true;
}

bool oracle_judge(struct oracle *oracle, const struct work_area *area,
		  const struct verdict *verdict, char *why, size_t size)
{
	struct acknowledged acknowledged;
	unsigned int i;

	if (!oracle_read(oracle, &acknowledged)) {
		snprintf(why, size, "the oracle cannot be read: %s", strerror(errno));
		return false;
	}
	for (i = 0; i < WORK_THREADS; i++)
		if (!judge_number(&acknowledged, area[i].head.number, i, verdict, why, size))
			return false;
	if (verdict->ordered && !judge_order(&acknowledged, area, &oracle->place, why, size))
		return false;
	for (i = 0; i < WORK_THREADS; i++)
		if (!judge_data(oracle, &area[i], i, why, size))
			return false;
	return true;
}
