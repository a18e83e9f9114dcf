// SPDX-License-Identifier: LGPL-2.1-or-later
/* rdsinit: format a recoverable heap, called as CMU's command of this name. */
#include <fcntl.h>
#include <rvm/rds.h>
#include <rvm/rvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"

/* struct heap - what the arguments ask for */
struct heap {
	char *log;
	char *data;
	unsigned long datalen;
	unsigned long saddr;
	unsigned long hlen;
	unsigned long slen;
	unsigned long nlists;
	unsigned long chunk;
};

static int usage(void)
{
	fprintf(stderr,
		"Usage: rdsinit [-f] LOG DATA DATALEN SADDR HLEN SLEN NLISTS CHUNK\n\n"
		"Formats the segment DATA, DATALEN bytes long, with a heap of HLEN bytes at the\n"
		"address SADDR and a static area of SLEN zero bytes behind it. The heap has NLISTS\n"
		"lists of small blocks, of multiples of CHUNK bytes. What was there is lost.\n"
		"-f does it without asking.\n\n"
		"Numbers are decimal or 0x..., with K, M or G behind them or without.\n");
	return 2;
}

static bool parse(char **words, struct heap *heap)
{
	unsigned long *numbers[] = {
		&heap->datalen, &heap->saddr, &heap->hlen, &heap->slen, &heap->nlists,
		&heap->chunk,
	};
	size_t i;

	heap->log = words[0];
	heap->data = words[1];
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!read_number(words[2 + i], numbers[i])) {
			fprintf(stderr, "rdsinit: %s is no number\n", words[2 + i]);
			return false;
		}
	}
	return true;
}

static bool confirm(const struct heap *heap)
{
	int answer;

	printf("Format %s, %lu bytes: heap of %lu bytes at 0x%lx, static area of %lu bytes,\n"
	       "%lu lists, chunks of %lu bytes. All that is in it is lost. Do it (y|n)? ",
	       heap->data, heap->datalen, heap->hlen, heap->saddr, heap->slen, heap->nlists,
	       heap->chunk);
	fflush(stdout);
	answer = getchar();
	return answer == 'y' || answer == 'Y';
}

static int failed(const char *what, int code)
{
	fprintf(stderr, "rdsinit: %s: %s (%d)\n", what, rvm_error(), code);
	return 1;
}

static int failed_file(const struct heap *heap)
{
	fprintf(stderr, "rdsinit: %s: %s\n", heap->data, strerror(errno));
	return 1;
}

static bool write_zeros(int fd, uint64_t from, uint64_t length)
{
	static const char zeros[65536];
	ssize_t n;

	for (; length; length -= n) {
		n = pwrite(fd, zeros, length < sizeof(zeros) ? length : sizeof(zeros),
			   (off_t)from);
		if (n <= 0)
			return false;
		from += n;
	}
	return !fsync(fd);
}

/*
 * Programs take zeros in the static area for a new one. The heap is made already: the log was
 * emptied before, and holds nothing of this area.
 */
static int clear_static(const struct heap *heap)
{
	uint64_t from = RVM_SEGMENT_HDR_SIZE + RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(heap->hlen);
	int fd = open(heap->data, O_RDWR | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return failed_file(heap);
	good = write_zeros(fd, from, RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(heap->slen));
	close(fd);
	return good ? 0 : failed_file(heap);
}

static rvm_return_t open_log(const struct heap *heap)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.log_dev = heap->log;
	return RVM_INIT(&options);
}

static int format(const struct heap *heap)
{
	int code = open_log(heap), err = 0;

	if (code)
		return failed(heap->log, code);
	rds_zap_heap(heap->data, RVM_LENGTH_TO_OFFSET(heap->datalen), (char *)heap->saddr,
		     heap->slen, heap->hlen, heap->nlists, heap->chunk, &err);
	if (err) {
		failed(heap->data, err);
		rvm_terminate();
		return 1;
	}
	code = rvm_terminate();
	return code ? failed(heap->log, code) : 0;
}

int main(int argc, char **argv)
{
	struct heap heap;
	bool force = false;
	int option, ret;

	while ((option = getopt(argc, argv, "f")) != -1) {
		if (option != 'f')
			return usage();
		force = true;
	}
	if (argc - optind != 8 || !parse(argv + optind, &heap))
		return usage();
	if (!force && !confirm(&heap)) {
		fprintf(stderr, "rdsinit: nothing was done\n");
		return 1;
	}
	ret = format(&heap);
	if (!ret)
		ret = clear_static(&heap);
	if (!ret)
		printf("rds_zap_heap completed successfully.\n");
	return ret;
}
