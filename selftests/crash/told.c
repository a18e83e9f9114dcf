// SPDX-License-Identifier: GPL-2.0
/* What is told of a damaged log by who looks at it and by who salvages it, counted. */
#include <stdlib.h>
#include <string.h>

#include "salvage.h"
#include "told.h"

static void on_defect(void *arg, const struct verify_defect *d)
{
	struct told *t = arg;

	t->defects++;
	if (d->part == t->part && (d->byte == t->byte[0] || d->byte == t->byte[1]) &&
	    (!t->what || strstr(t->what, d->what)) && d->effect[0])
		t->right++;
}

static void on_lost(void *arg, const struct salvage_lost *lost)
{
	struct told *t = arg;

	t->lost++;
	if (!lost->sure && lost->tid)
		t->lost_tid = lost->tid;
	t->lost_bytes += lost->length;
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	if (done > total)
		abort();
}

int told_verify(struct told *told, struct verify *v)
{
	const struct verify_ops ops = { .defect = on_defect, .progress = on_progress, .arg = told };

	return specimen_verify(v, &ops);
}

int told_salvage(struct told *told, const char *keep, bool beyond, struct salvage_stats *stats)
{
	const struct salvage_ops ops = {
		.keep = keep,
		.beyond = beyond,
		.defect = on_defect,
		.lost = on_lost,
		.progress = on_progress,
		.arg = told,
	};

	return salvage_log(LOG, &ops, stats);
}

int told_salvaged(const struct specimen *s)
{
	struct salvage_stats stats;
	struct told told = {};
	int err = told_salvage(&told, NULL, false, &stats);

	return err ? err : specimen_state(s);
}
