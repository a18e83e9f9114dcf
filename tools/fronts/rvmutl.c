// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvmutl: commands about logs from standard input, called as CMU's command of this name. */
#include <rvm/rvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "number.h"

/*
 * What became of a command.
 *
 * @DONE: the command was done
 * @FAILED: it was not
 * @QUIT: no more commands
 */
enum outcome { DONE, FAILED, QUIT };

static enum outcome complain(const char *what, const char *why)
{
	fprintf(stderr, "rvmutl: %s: %s\n", what, why);
	return FAILED;
}

/* i LOG SIZE */
static enum outcome init_log(char *log, const char *size)
{
	rvm_options_t options;
	unsigned long length;
	rvm_offset_t offset;

	if (!log || !size)
		return complain("i", "a log and its size are missing");
	if (!read_number(size, &length) || !length)
		return complain(size, "is no size");
	rvm_init_options(&options);
	options.log_dev = log;
	offset = RVM_LENGTH_TO_OFFSET(length);
	if (rvm_create_log(&options, &offset, 0600))
		return complain("i", rvm_error());
	printf("log %s: %lu bytes\n", log, length);
	return DONE;
}

/* r LOG: opening it is enough. */
static enum outcome recover(char *log)
{
	rvm_options_t options;

	if (!log)
		return complain("r", "a log is missing");
	rvm_init_options(&options);
	options.log_dev = log;
	if (rvm_set_options(&options))
		return complain("r", rvm_error());
	/* Initialized again without a log, for the next command. */
	if (rvm_terminate() || RVM_INIT(NULL))
		return complain("r", rvm_error());
	printf("log %s: recovered\n", log);
	return DONE;
}

static enum outcome help(void)
{
	puts("i LOG SIZE[K|M|G]   make a log\n"
	     "r LOG               bring committed changes to the segments\n"
	     "h                   this help\n"
	     "q                   quit\n"
	     "Longer words do too: init_log, recover, help, quit.");
	return DONE;
}

static bool is(const char *word, const char *name)
{
	return !strcmp(word, name) || (word[0] == name[0] && !word[1]);
}

static enum outcome run(char *line)
{
	char *rest, *command = strtok_r(line, " \t\n", &rest);
	char *first, *second;

	if (!command || *command == '#')
		return DONE;
	first = strtok_r(NULL, " \t\n", &rest);
	second = first ? strtok_r(NULL, " \t\n", &rest) : NULL;
	if (is(command, "init_log") || !strcmp(command, "init"))
		return init_log(first, second);
	if (is(command, "recover"))
		return recover(first);
	if (is(command, "help") || !strcmp(command, "?"))
		return help();
	if (is(command, "quit"))
		return QUIT;
	return complain(command, "there is no such command; h tells which there are");
}

int main(int argc, char **argv)
{
	bool prompt = isatty(STDIN_FILENO);
	enum outcome outcome = DONE;
	char line[8192];
	int status = 0;

	if (argc > 1) {
		fprintf(stderr, "Usage: rvmutl; it reads commands from standard input\n");
		return !strcmp(argv[1], "--help") ? 0 : 2;
	}
	if (RVM_INIT(NULL)) {
		fprintf(stderr, "rvmutl: %s\n", rvm_error());
		return 1;
	}
	while (outcome != QUIT) {
		if (prompt)
			fputs("* ", stdout);
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			break;
		outcome = run(line);
		if (outcome == FAILED)
			status = 1;
	}
	rvm_terminate();
	return status;
}
