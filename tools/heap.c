// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm init-heap. */
#include <errno.h>
#include <fcntl.h>
#include <rvm/rds.h>
#include <rvm/rvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "loadmap.h"

#define ADDRESS		0x200000000000UL	/* far from what the kernel chooses by itself */
#define LISTS		64
#define CHUNK		32
#define WORDS		3

/* struct heap - what the arguments ask for */
struct heap {
	char *words[WORDS];	/* log, segment, size */
	uint64_t size;
	uint64_t area;
	unsigned long address;
	unsigned long lists;
	unsigned long chunk;
	bool force;
};

static uint64_t parse_size(const char *arg, struct argp_state *state)
{
	uint64_t size = 0;
	const char *wrong = command_size(arg, &size);

	if (wrong)
		argp_error(state, "%s %s", arg, wrong);
	return size;
}

static unsigned long parse_number(const char *arg, struct argp_state *state)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(arg, &end, 0);
	if (errno || *end || end == arg)
		argp_error(state, "%s is no number", arg);
	return number;
}

static error_t parse_word(struct heap *heap, char *arg, struct argp_state *state)
{
	if (state->arg_num >= WORDS) {
		argp_error(state, "too many arguments: %s", arg);
		return 0;
	}
	heap->words[state->arg_num] = arg;
	if (state->arg_num == WORDS - 1)
		heap->size = parse_size(arg, state);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct heap *heap = state->input;

	switch (key) {
	case 'a':
		heap->address = parse_number(arg, state);
		return 0;
	case 'c':
		heap->chunk = parse_number(arg, state);
		return 0;
	case 'f':
		heap->force = true;
		return 0;
	case 'l':
		heap->lists = parse_number(arg, state);
		return 0;
	case 's':
		heap->area = parse_size(arg, state);
		return 0;
	case ARGP_KEY_ARG:
		return parse_word(heap, arg, state);
	case ARGP_KEY_END:
		if (state->arg_num < WORDS)
			argp_error(state, "arguments are missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static enum result result_of(int code)
{
	switch (code) {
	case EBAD_ARGS:
	case RVM_EREGION_DEF:
	case RVM_EVM_OVERLAP:
	case RVM_EOFFSET:
		return RESULT_USAGE;
	case RVM_ELOG_DAMAGED:
		return RESULT_DAMAGED;
	case RVM_ELOG_LOCKED:
		return RESULT_BUSY;
	case RVM_ELOG:
	case RVM_ELOG_VERSION_SKEW:
		return RESULT_FOREIGN;
	default:
		return RESULT_FAILED;
	}
}

static enum result fail(int code)
{
	fprintf(stderr, "%s: %s\n", program_invocation_name, rvm_error());
	return result_of(code);
}

/* The log was recovered: what the segment's first page says counts. */
static bool has_map(const char *path)
{
	struct disk_loadmap map = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t count;
	struct loadmap_more more;
	bool has;

	if (fd < 0)
		return false;
	has = pread(fd, &map, sizeof(map), 0) == (ssize_t)sizeof(map) &&
	      !loadmap_check(&map, &count, &more);
	close(fd);
	return has;
}

static enum result make(const struct heap *heap)
{
	rvm_length_t size = RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(heap->size);
	rvm_length_t area = RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(heap->area);
	int err = 0;

	if (!heap->force && has_map(heap->words[1])) {
		fprintf(stderr, "%s: segment %s: it has regions already (see --force)\n",
			program_invocation_name, heap->words[1]);
		return RESULT_EXISTS;
	}
	rds_zap_heap(heap->words[1], RVM_LENGTH_TO_OFFSET(RVM_SEGMENT_HDR_SIZE + size + area),
		     (char *)heap->address, area, size, heap->lists, heap->chunk, &err);
	return err ? fail(err) : RESULT_OK;
}

int command_init_heap(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "address", 'a', "ADDRESS", 0, "Where it is mapped (default 0x200000000000)", 0 },
		{ "chunk", 'c', "BYTES", 0, "Blocks are multiples of it (default 32)", 0 },
		{ "force", 'f', NULL, 0, "Overwrite the regions of the segment", 0 },
		{ "lists", 'l', "N", 0, "Small blocks have up to N chunks (default 64)", 0 },
		{ "static", 's', "SIZE", 0, "Bytes of static area behind the heap (default 0)", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "LOG SEGMENT SIZE",
		.doc = "Make a recoverable heap of SIZE bytes in a segment, for rds_load_heap(3).\n"
		       "\vA missing segment is made. SIZE is a number of bytes, or one with K, M, G\n"
		       "or T behind it. A static area that is there keeps its bytes.",
	};
	struct heap heap = { .address = ADDRESS, .lists = LISTS, .chunk = CHUNK };
	rvm_options_t log;
	enum result result;
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &heap))
		return RESULT_USAGE;
	rvm_init_options(&log);
	log.log_dev = heap.words[0];
	code = RVM_INIT(&log);
	if (code)
		return fail(code);
	result = make(&heap);
	code = rvm_terminate();
	return result || !code ? result : fail(code);
}
