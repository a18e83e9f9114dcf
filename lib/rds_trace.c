// SPDX-License-Identifier: LGPL-2.1-or-later
/* Statistics and tracing of the recoverable heap. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <rvm/rds.h>
#include <stdarg.h>
#include <string.h>

#include "err.h"
#include "rds_heap.h"
#include "rds_trace.h"

int rds_tracing;
FILE *rds_tracing_file;

static int bad_args(const char *what)
{
	err_set(EINVAL, "%s", what);
	return EBAD_ARGS;
}

/* One write, so that lines of several threads do not mix. */
void rds_trace(const char *fmt, ...)
{
	char line[512];
	va_list args;

	if (!rds_tracing || !rds_tracing_file)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fprintf(rds_tracing_file, "rds: %s\n", line);
}

int rds_trace_on(FILE *file)
{
	err_clear();
	if (!file)
		return bad_args("there is no file to trace to");
	rds_tracing_file = file;
	rds_tracing = TRUE;
	rds_trace("tracing on");
	return SUCCESS;
}

int rds_trace_off(void)
{
	err_clear();
	if (rds_tracing && rds_tracing_file) {
		rds_trace("tracing off");
		fflush(rds_tracing_file);
	}
	rds_tracing = FALSE;
	rds_tracing_file = NULL;
	return SUCCESS;
}

static void dump_block(void *arg, const char *addr, uint64_t size, const char *state)
{
	fprintf(arg, "rds: %p %" PRIu64 " %s\n", (const void *)addr, size, state);
}

int rds_trace_dump_heap(void)
{
	int code;

	err_clear();
	if (!rds_tracing || !rds_tracing_file)
		return bad_args("tracing is off: turn it on with rds_trace_on()");
	rds_trace("all blocks:");
	code = rds_reach(NULL);
	if (!code)
		code = rds_heap_each(rds_heap(), dump_block, rds_tracing_file);
	rds_trace("all blocks = %d", code);
	return code;
}

static unsigned int narrow(uint64_t n)
{
	return n < UINT_MAX ? n : UINT_MAX;
}

int rds_get_stats(rds_stats_t *stats)
{
	const struct rds_heap *heap = rds_heap();
	struct rds_counters c;
	uint64_t used, large, chunk;
	int code;

	err_clear();
	code = rds_heap_counters(rds_heap(), &c, &used, &large);
	if (code)
		return code;
	if (!stats)
		return bad_args("there is no record for the statistics");
	chunk = heap->geometry.chunk;
	*stats = (rds_stats_t){
		.malloc = narrow(c.malloc),
		.prealloc = narrow(c.prealloc),
		.free = narrow(c.free),
		.coalesce = narrow(c.coalesce),
		.hits = narrow(c.hits),
		.misses = narrow(c.misses),
		.large_list = narrow(large),
		.large_hits = narrow(c.large_hits),
		.large_misses = narrow(c.large_misses),
		.merged = narrow(c.merged),
		.unmerged = narrow(c.unmerged),
		.freebytes = narrow((heap->geometry.chunks - used) * chunk),
		.mallocbytes = narrow(used * chunk),
	};
	return 0;
}

int rds_clear_stats(int *err)
{
	int code;

	err_clear();
	code = rds_heap_clear_counters(rds_heap());
	if (err)
		*err = code;
	return code;
}

int rds_print_stats(void)
{
	rds_stats_t s;
	int code = rds_get_stats(&s);

	if (code)
		return code;
	printf("rds: %u mallocs, %u frees, %u blocks made ahead\n", s.malloc, s.free, s.prealloc);
	printf("rds: %u found their size, %u did not; large: %u found, %u did not\n", s.hits,
	       s.misses, s.large_hits, s.large_misses);
	printf("rds: joined %u times, %u blocks gone by it; %u split off\n", s.coalesce, s.merged,
	       s.unmerged);
	printf("rds: %u bytes allocated, %u free, %u large free blocks\n", s.mallocbytes,
	       s.freebytes, s.large_list);
	return SUCCESS;
}
