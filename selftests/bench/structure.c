// SPDX-License-Identifier: GPL-2.0
/* What the data structures have in common: how they are built, and checked. */
#include <stdlib.h>

#include "clock.h"
#include "structure.h"

#define STEPS	256	/* of a transaction that builds */
#define ABORTS	8

void structure_build(struct actor *actor, void (*step)(struct actor *actor, uint64_t number),
		     uint64_t count)
{
	uint64_t number;

	for (number = 0; number < count; number++) {
		if (number % STEPS == 0)
			actor->subject->begin(actor);
		step(actor, number);
		if (number % STEPS == STEPS - 1 || number == count - 1)
			actor->subject->end(actor);
	}
}

void structure_check(struct actor *actor)
{
	size_t length = actor->workload->region;
	const struct subject *subject = actor->subject;
	char *before;
	int i;

	if (!subject->flag || (subject->change && subject->mode == no_restore))
		return;
	before = malloc(length);
	if (!before)
		die("malloc", "no memory");
	memcpy(before, actor->base, length);
	for (i = 0; i < ABORTS; i++) {
		subject->begin(actor);
		actor->workload->kind->transact(actor);
		check("abort", rvm_abort_transaction(&actor->tid));
		structure_is(!memcmp(before, actor->base, length), "an abort left bytes changed");
	}
	free(before);
}

void structure_is(bool right, const char *what)
{
	if (!right)
		die("a data structure is broken", what);
}
