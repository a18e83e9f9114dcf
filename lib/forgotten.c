// SPDX-License-Identifier: LGPL-2.1-or-later
/* The words for bytes that were changed and not declared. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "forgotten.h"

#define SHOWN	16	/* bytes of the old and the new ones */
#define HEX	(3 * SHOWN + 4)
#define LINE	1024

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *forgotten_symbol(const void *instruction, char *text)
{
	const char *at = instruction;
	int n = 0;
	Dl_info info;

	text[0] = 0;
	if (!instruction || !dladdr(instruction, &info) || !info.dli_fname)
		return text;
	if (info.dli_sname)
		n = snprintf(text, FORGOTTEN_SYMBOL / 2, "%s+0x%zx ", info.dli_sname,
			     (size_t)(at - (const char *)info.dli_saddr));
	if (n >= FORGOTTEN_SYMBOL / 2)
		n = FORGOTTEN_SYMBOL / 2 - 1;
	snprintf(text + n, FORGOTTEN_SYMBOL - n, "(%s+0x%zx)", base_name(info.dli_fname),
		 (size_t)(at - (const char *)info.dli_fbase));
	return text;
}

static const char *hex(const unsigned char *bytes, size_t length, char *text)
{
	size_t i, n = length < SHOWN ? length : SHOWN;

	for (i = 0; i < n; i++)
		sprintf(text + 3 * i, "%02x ", bytes[i]);
	strcpy(text + 3 * n - 1, n < length ? " .." : "");
	return text;
}

/* What is known of the store, as the end of a sentence. */
static const char *store(const rvm_forgotten_t *f, char *text)
{
	if (!f->thread)
		snprintf(text, LINE, "the tracker does not know by whom");
	else if (!f->instruction)
		snprintf(text, LINE, "the page was first written in a system call of thread %lu",
			 f->thread);
	else
		snprintf(text, LINE, "%s by thread %lu at %p %s",
			 f->exact ? "stored" : "the page was first stored to elsewhere,", f->thread,
			 f->instruction, f->symbol);
	return text;
}

void forgotten_error(const rvm_forgotten_t *f)
{
	char old[HEX], new[HEX], by[LINE];

	err_set(EREMCHG, "%s: %zu bytes at offset %lu were changed %s: old %s, new %s; %s; %s",
		f->segment, f->length, f->segment_offset,
		f->stray ? "outside any transaction" : "and declared by no open transaction",
		hex(f->old_bytes, f->length, old), hex(f->new_bytes, f->length, new),
		store(f, by),
		f->stray ? "they are told of once" : "declare them and end again, or abort");
}

static void found(const rvm_forgotten_t *f, FILE *out)
{
	if (f->stray && f->transaction)
		fprintf(out, "rvm:   found when transaction %lu began: none was open\n",
			f->transaction);
	else if (f->transaction)
		fprintf(out, "rvm:   found when transaction %lu ended, with %lu others open\n",
			f->transaction, f->others);
	else
		fprintf(out, "rvm:   found when the region was unmapped, with %lu transactions open\n",
			f->others);
}

rvm_bool_t rvm_check_report(void *arg, const rvm_forgotten_t *f)
{
	char old[HEX], new[HEX], by[LINE];
	FILE *out = arg ? arg : stderr;

	flockfile(out);
	fprintf(out, "rvm: %s: %zu bytes of %s at offset %lu\n",
		f->stray ? "store outside any transaction" : "forgotten rvm_set_range()", f->length,
		f->segment, f->segment_offset);
	fprintf(out, "rvm:   address %p, offset %lu in the region\n", f->address, f->region_offset);
	fprintf(out, "rvm:   old %s\n", hex(f->old_bytes, f->length, old));
	fprintf(out, "rvm:   new %s\n", hex(f->new_bytes, f->length, new));
	fprintf(out, "rvm:   %s\n", store(f, by));
	found(f, out);
	fflush(out);
	funlockfile(out);
	return rvm_true;
}

rvm_bool_t rvm_check_abort(void *arg, const rvm_forgotten_t *f)
{
	rvm_check_report(arg, f);
	abort();
}
