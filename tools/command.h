/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of the tool rvm, and what they share. */
#ifndef RVM_TOOLS_COMMAND_H
#define RVM_TOOLS_COMMAND_H

#include <argp.h>
#include <stdint.h>

/*
 * Exit codes; `rvm --help` tells them too.
 *
 * @RESULT_OK: done
 * @RESULT_FAILED: an operation failed: no such file, no permission, I/O, a full disk
 * @RESULT_USAGE: wrong arguments; nothing was done
 * @RESULT_DAMAGED: the log or the backup is damaged, or a segment is not the one that the log knows
 * @RESULT_BUSY: another process has the log open, or the device is in use
 * @RESULT_FOREIGN: not a log, or one of a version or with features that are unknown
 * @RESULT_EXISTS: something stands there already
 */
enum result {
	RESULT_OK = 0,
	RESULT_FAILED = 1,
	RESULT_USAGE = 2,
	RESULT_DAMAGED = 3,
	RESULT_BUSY = 4,
	RESULT_FOREIGN = 5,
	RESULT_EXISTS = 6,
};

/**
 * command_fail() - print the library's text of an error
 * @err: a negative errno of lib/
 *
 * Return: the exit code for it.
 */
enum result command_fail(int err);

/**
 * command_size() - read a size
 * @text: a number, with K, M, G or T (of 1024) behind it or without
 * @size: the bytes
 *
 * Return: NULL, or what is wrong with it.
 */
const char *command_size(const char *text, uint64_t *size);

/**
 * struct paths - the positional arguments of a command
 * @words: the arguments, NULL where none was given
 * @least: how many there must be
 * @most: how many there may be, up to 2
 */
struct paths {
	const char *words[2];
	unsigned int least;
	unsigned int most;
};

/** command_word() - an argp parser for positional arguments; Return: as a parser */
error_t command_word(struct paths *paths, int key, char *arg, struct argp_state *state);

/* Each parses its arguments, does the work and returns the exit code. */
int command_create_log(int argc, char **argv);
int command_create_segment(int argc, char **argv);
int command_init_heap(int argc, char **argv);
int command_status(int argc, char **argv);
int command_dump(int argc, char **argv);
int command_recover(int argc, char **argv);
int command_truncate(int argc, char **argv);
int command_resize_log(int argc, char **argv);
int command_forget(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_restore(int argc, char **argv);
int command_regions(int argc, char **argv);
int command_top(int argc, char **argv);

#endif
