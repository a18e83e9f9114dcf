// SPDX-License-Identifier: GPL-2.0
/* What the transactions do: everything follows from thread and number, nothing is remembered. */
#include <string.h>

#include "workload.h"

uint64_t work_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Mostly small, now and then several pages; never beyond the end. */
static void plan_write(struct work_write *write, uint64_t *state)
{
	uint64_t kind = work_random(state) % 32;
	size_t limit = kind == 0 ? 9000 : kind < 8 ? 600 : 64;

	write->offset = work_random(state) % WORK_BYTES;
	write->length = 1 + work_random(state) % limit;
	if (write->length > WORK_BYTES - write->offset)
		write->length = WORK_BYTES - write->offset;
	write->seed = work_random(state);
}

void work_plan(struct work *work, unsigned int thread, uint64_t number)
{
	uint64_t state = number << 8 | thread;
	unsigned int i;

	work->count = 1 + work_random(&state) % WORK_WRITES;
	for (i = 0; i < work->count; i++)
		plan_write(&work->write[i], &state);
}

void work_fill(const struct work_write *write, char *to)
{
	uint64_t state = write->seed, word;
	size_t done, n;

	for (done = 0; done < write->length; done += n) {
		word = work_random(&state);
		n = write->length - done < sizeof(word) ? write->length - done : sizeof(word);
		memcpy(to + done, &word, n);
	}
}

void work_replay(char *data, unsigned int thread, uint64_t from, uint64_t to)
{
	struct work work;
	unsigned int i;

	while (from < to) {
		work_plan(&work, thread, ++from);
		for (i = 0; i < work.count; i++)
			work_fill(&work.write[i], data + work.write[i].offset);
	}
}
