// SPDX-License-Identifier: GPL-2.0
/*
 * Where there is no libFuzzer: judges each file of the corpus, and so many inputs made of each by
 * the fuzzer's own mutator.  Arguments are files to judge instead.
 *
 * RVM_MUTANTS: inputs made of each file.  RVM_SEED: of the mutations.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "mutate.h"

#define MOST	0x40000U	/* bytes of an input */

static uint8_t input[MOST], mutant[MOST];

/* Some bytes anew: what libFuzzer does better. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	size_t n = size ? 1 + mutate_below(size < 8 ? size : 8) : 0;

	(void)max;
	while (n--)
		data[mutate_below(size)] = mutate_below(256);
	return size;
}

static size_t load(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t size;

	if (!file) {
		perror(path);
		exit(1);
	}
	size = fread(input, 1, sizeof(input), file);
	fclose(file);
	return size;
}

static unsigned int number(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/* A finding that replay.c made can be had again, and kept. */
static void keep(const uint8_t *data, size_t size)
{
	FILE *file = fopen(NAME ".last", "w");

	if (file) {
		fwrite(data, 1, size, file);
		fclose(file);
	}
}

static void replay(const char *path, unsigned int mutants, unsigned int seed)
{
	size_t size = load(path), now = size;
	unsigned int i;

	keep(input, size);
	LLVMFuzzerTestOneInput(input, size);
	for (i = 0; i < mutants; i++) {
		if (i % 8 == 0) {
			memcpy(mutant, input, size);
			now = size;
		}
		now = LLVMFuzzerCustomMutator(mutant, now, MOST, seed + i);
		keep(mutant, now);
		LLVMFuzzerTestOneInput(mutant, now);
	}
}

static int replay_all(void)
{
	unsigned int mutants = number("RVM_MUTANTS", 200), seed = number("RVM_SEED", 1);
	struct dirent **list;
	char path[4096];
	int i, count;

	count = scandir(CORPUS, &list, NULL, alphasort);
	for (i = 0; i < count; i++) {
		if (list[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", CORPUS, list[i]->d_name);
			replay(path, mutants, seed);
		}
		free(list[i]);
	}
	if (count > 0)
		free(list);
	count -= 2;	/* . and .. */
	printf("%d inputs of the corpus, %u made of each\n", count, mutants);
	remove(NAME ".last");
	return count > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		replay(argv[i], 0, 0);
	return argc > 1 ? 0 : replay_all();
}
