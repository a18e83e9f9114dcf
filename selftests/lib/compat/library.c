// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3 with the segment loader: a lending library. Desk,
 * books, loans and readers are four regions of one segment, each at its address; their structures
 * are linked by pointers within and across the regions. What a round does depends on its number
 * and on what is there, so that a life that begins after a kill can be held against the same
 * rounds in ordinary memory.
 *
 *	library LOG DATA create
 *	library LOG DATA work ROUNDS
 *	library LOG DATA kill ROUNDS STEP	and die in the round after them, before a change
 *	library LOG DATA look ROUNDS		so many rounds at least are to be there
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rvm/rvm.h>
#include <rvm/rvm_segment.h>

#define BOOKS		400
#define LOANS		600
#define READERS		100
#define CHAINS		64
#define PARTS		4

struct loan {
	struct book *book;
	struct reader *reader;
	struct loan *of_book;		/* the book's next; of a free one the next free one */
	struct loan *of_reader;		/* the reader's next */
};

struct book {
	char title[32];
	struct book *chain;		/* the next of the chain; of a free one the next free one */
	struct loan *loans;
	long lent;
};

struct reader {
	char name[24];
	struct loan *loans;
	long holds;
	struct reader *next;
};

struct desk {
	struct book *chains[CHAINS];
	struct book *free_book;
	struct loan *free_loan;
	struct reader *readers;
	long books, loans, lent, registered;
	long rounds;			/* that ended, however they did */
};

struct rooms {
	struct desk *desk;
	struct book *books;
	struct loan *loans;
	struct reader *readers;
};

static struct rooms here;
static rvm_tid_t *tid;			/* NULL: this is ordinary memory */
static long steps;			/* changes until this run dies; 0: it does not */

static unsigned long sizes[PARTS] = {
	sizeof(struct desk), BOOKS * sizeof(struct book),
	LOANS * sizeof(struct loan), READERS * sizeof(struct reader)
};

static char *places[PARTS] = {
	(char *)0x24000000, (char *)0x25000000, (char *)0x26000000, (char *)0x27000000
};

static void must(rvm_return_t ret, char *what)
{
	if (ret != RVM_SUCCESS) {
		fprintf(stderr, "%s: %s\n", what, rvm_return(ret));
		exit(1);
	}
}

static void wrong(char *what)
{
	printf("wrong: %s\n", what);
	exit(1);
}

static void change(void *at, unsigned long length)
{
	if (!tid)
		return;
	if (steps && !--steps)
		kill(getpid(), SIGKILL);
	must(rvm_set_range(tid, at, length), "rvm_set_range");
}

#define CHANGE(field)	change(&(field), sizeof(field))

static struct book **chain_of(char *title)
{
	unsigned long sum = 0;

	while (*title)
		sum = sum * 31 + *title++;
	return &here.desk->chains[sum % CHAINS];
}

static void buy(long round)
{
	struct book *book = here.desk->free_book, **chain;

	if (!book)
		return;
	CHANGE(here.desk->free_book);
	here.desk->free_book = book->chain;
	CHANGE(*book);
	memset(book, 0, sizeof(*book));
	sprintf(book->title, "the life of %ld", round);
	chain = chain_of(book->title);
	book->chain = *chain;
	CHANGE(*chain);
	*chain = book;
	CHANGE(here.desk->books);
	here.desk->books++;
}

/* A chain loses its first book that nobody has. */
static void sell(long round)
{
	struct book **link = &here.desk->chains[round % CHAINS], *book;

	while (*link && (*link)->lent)
		link = &(*link)->chain;
	book = *link;
	if (!book)
		return;
	CHANGE(*link);
	*link = book->chain;
	CHANGE(*book);
	book->title[0] = '\0';
	book->chain = here.desk->free_book;
	CHANGE(here.desk->free_book);
	here.desk->free_book = book;
	CHANGE(here.desk->books);
	here.desk->books--;
}

static void enrol(long round)
{
	struct reader *reader = here.readers + here.desk->registered;

	if (here.desk->registered == READERS)
		return;
	CHANGE(*reader);
	memset(reader, 0, sizeof(*reader));
	sprintf(reader->name, "reader %ld", round);
	reader->next = here.desk->readers;
	CHANGE(here.desk->readers);
	here.desk->readers = reader;
	CHANGE(here.desk->registered);
	here.desk->registered++;
}

static struct book *some_book(long round)
{
	struct book *book = NULL;
	long i;

	for (i = 0; i < CHAINS && !book; i++)
		book = here.desk->chains[(round * 7 + i) % CHAINS];
	return book;
}

static void lend(long round)
{
	struct loan *loan = here.desk->free_loan;
	struct book *book = some_book(round);
	struct reader *reader;

	if (!loan || !book || !here.desk->registered)
		return;
	reader = here.readers + round % here.desk->registered;
	CHANGE(here.desk->free_loan);
	here.desk->free_loan = loan->of_book;
	CHANGE(*loan);
	loan->book = book;
	loan->reader = reader;
	loan->of_book = book->loans;
	loan->of_reader = reader->loans;
	CHANGE(*book);
	book->loans = loan;
	book->lent++;
	CHANGE(*reader);
	reader->loans = loan;
	reader->holds++;
	CHANGE(here.desk->lent);
	here.desk->lent++;
}

/* A reader brings back what was lent first. */
static void bring_back(long round)
{
	struct loan **link, *loan;
	struct reader *reader;

	if (!here.desk->registered)
		return;
	reader = here.readers + round * 3 % here.desk->registered;
	for (link = &reader->loans; *link && (*link)->of_reader; link = &(*link)->of_reader)
		;
	loan = *link;
	if (!loan)
		return;
	CHANGE(*link);
	*link = NULL;
	CHANGE(reader->holds);
	reader->holds--;
	for (link = &loan->book->loans; *link != loan; link = &(*link)->of_book)
		;
	CHANGE(*link);
	*link = loan->of_book;
	CHANGE(loan->book->lent);
	loan->book->lent--;
	CHANGE(*loan);
	memset(loan, 0, sizeof(*loan));
	loan->of_book = here.desk->free_loan;
	CHANGE(here.desk->free_loan);
	here.desk->free_loan = loan;
	CHANGE(here.desk->lent);
	here.desk->lent--;
}

static void play(long round)
{
	if (round % 11 == 0)
		enrol(round);
	buy(round);
	lend(round);
	lend(round + 5);
	if (round % 2)
		bring_back(round);
	if (round % 3 == 0)
		sell(round);
}

static int regretted(long round)
{
	return round % 7 == 6;
}

/* A round that is regretted is aborted, and counted in a transaction of its own. */
static void one_round(long round)
{
	must(rvm_begin_transaction(tid, restore), "begin");
	play(round);
	if (regretted(round)) {
		must(rvm_abort_transaction(tid), "abort");
		must(rvm_begin_transaction(tid, restore), "begin");
	}
	CHANGE(here.desk->rounds);
	here.desk->rounds = round + 1;
	must(rvm_end_transaction(tid, round % 5 ? no_flush : flush), "end");
	if (round % 5 == 0) {
		printf("%ld\n", round + 1);
		fflush(stdout);
	}
}

/* All loans, books and readers are free, as in a new library. */
static void fill_in(void)
{
	long i;

	for (i = BOOKS - 1; i >= 0; i--) {
		here.books[i].chain = here.desk->free_book;
		here.desk->free_book = &here.books[i];
	}
	for (i = LOANS - 1; i >= 0; i--) {
		here.loans[i].of_book = here.desk->free_loan;
		here.desk->free_loan = &here.loans[i];
	}
	here.desk->books = 0;
	here.desk->loans = LOANS;
}

static void found(void)
{
	must(rvm_begin_transaction(tid, restore), "begin");
	change(here.desk, sizes[0]);
	change(here.books, sizes[1]);
	change(here.loans, sizes[2]);
	fill_in();
	must(rvm_end_transaction(tid, flush), "end");
}

static void check_loan(struct loan *loan)
{
	struct loan *other;
	long n = 0;

	if (loan < here.loans || loan >= here.loans + LOANS)
		wrong("a loan is elsewhere");
	if (loan->reader < here.readers || loan->reader >= here.readers + here.desk->registered)
		wrong("a loan has no reader");
	for (other = loan->reader->loans; other; other = other->of_reader)
		n += other == loan;
	if (n != 1)
		wrong("a reader does not have the loan");
}

static long check_book(struct book *book)
{
	struct loan *loan;
	long n = 0;

	if (book < here.books || book >= here.books + BOOKS)
		wrong("a book is elsewhere");
	for (loan = book->loans; loan; loan = loan->of_book) {
		if (loan->book != book)
			wrong("a loan is another book's");
		check_loan(loan);
		n++;
	}
	if (n != book->lent)
		wrong("a book miscounts its loans");
	return n;
}

static void check(void)
{
	long books = 0, lent = 0, free_books = 0, free_loans = 0, i;
	struct book *book;
	struct loan *loan;

	for (i = 0; i < CHAINS; i++)
		for (book = here.desk->chains[i]; book; book = book->chain) {
			if (chain_of(book->title) != &here.desk->chains[i])
				wrong("a book is in another chain");
			lent += check_book(book);
			books++;
		}
	for (book = here.desk->free_book; book; book = book->chain)
		free_books++;
	for (loan = here.desk->free_loan; loan; loan = loan->of_book)
		free_loans++;
	if (books != here.desk->books || books + free_books != BOOKS)
		wrong("books are lost");
	if (lent != here.desk->lent || lent + free_loans != LOANS)
		wrong("loans are lost");
}

/* What is there, whatever the addresses, in the order of the lists. */
static void tell(char *text, unsigned long size)
{
	struct reader *reader;
	struct book *book;
	struct loan *loan;
	unsigned long n = 0;
	long i;

	for (i = 0; i < CHAINS; i++)
		for (book = here.desk->chains[i]; book; book = book->chain) {
			n += snprintf(text + n, size - n, "%s:", book->title);
			for (loan = book->loans; loan; loan = loan->of_book)
				n += snprintf(text + n, size - n, " %s", loan->reader->name);
			n += snprintf(text + n, size - n, "\n");
		}
	for (reader = here.desk->readers; reader; reader = reader->next) {
		n += snprintf(text + n, size - n, "%s %ld:", reader->name, reader->holds);
		for (loan = reader->loans; loan; loan = loan->of_reader)
			n += snprintf(text + n, size - n, " %s", loan->book->title);
		n += snprintf(text + n, size - n, "\n");
	}
	if (n >= size)
		wrong("there is too much to tell");
}

/* The same rounds in ordinary memory come to the same. */
static void compare(void)
{
	static char is[1 << 17], should[1 << 17];
	long round, rounds = here.desk->rounds;
	rvm_tid_t *kept = tid;

	tell(is, sizeof(is));
	tid = NULL;
	here.desk = calloc(1, sizes[0]);
	here.books = calloc(1, sizes[1]);
	here.loans = calloc(1, sizes[2]);
	here.readers = calloc(1, sizes[3]);
	fill_in();
	for (round = 0; round < rounds; round++)
		if (!regretted(round))
			play(round);
	tell(should, sizeof(should));
	tid = kept;
	if (strcmp(is, should))
		wrong("it is not what the rounds come to");
	free(here.desk);
	free(here.books);
	free(here.loans);
	free(here.readers);
}

static void create(char *data, rvm_options_t *options)
{
	rvm_offset_t length = RVM_MK_OFFSET(0, 0x10000), end = RVM_MK_OFFSET(0, 0);
	rvm_region_def_t defs[PARTS];
	long i;

	must(rvm_create_log(options, &length, 0600), "rvm_create_log");
	must(rvm_set_options(options), "rvm_set_options");
	end = RVM_ADD_LENGTH_TO_OFFSET(end, RVM_SEGMENT_HDR_SIZE);
	for (i = 0; i < PARTS; i++) {
		RVM_INIT_REGION(defs[i], end, RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(sizes[i]),
				places[i]);
		end = RVM_ADD_LENGTH_TO_OFFSET(end, defs[i].length);
	}
	must(rvm_create_segment(data, end, options, PARTS, defs), "rvm_create_segment");
}

static rvm_region_def_t *enter(char *data, rvm_options_t *options)
{
	rvm_region_def_t *defs;
	unsigned long n, i;

	must(rvm_load_segment(data, RVM_MK_OFFSET(0, 0), options, &n, &defs), "rvm_load_segment");
	if (n != PARTS)
		wrong("there are not four regions");
	for (i = 0; i < n; i++)
		if (defs[i].vmaddr != places[i])
			wrong("a region is elsewhere");
	here.desk = (struct desk *)defs[0].vmaddr;
	here.books = (struct book *)defs[1].vmaddr;
	here.loans = (struct loan *)defs[2].vmaddr;
	here.readers = (struct reader *)defs[3].vmaddr;
	return defs;
}

static void look(long least)
{
	long books, lent, registered, rounds;

	check();
	books = here.desk->books;
	lent = here.desk->lent;
	registered = here.desk->registered;
	rounds = here.desk->rounds;
	if (rounds < least)
		wrong("rounds that were flushed are not there");
	compare();
	printf("%ld books, %ld lent, %ld readers", books, lent, registered);
	printf(", after %ld rounds\n", rounds);
}

int main(int argc, char **argv)
{
	rvm_options_t *options = rvm_malloc_options();
	rvm_region_def_t *defs;
	long until;

	if (argc < 4)
		return 2;
	options->log_dev = argv[1];
	tid = rvm_malloc_tid();
	if (!strcmp(argv[3], "create")) {
		must(RVM_INIT(NULL), "RVM_INIT");
		create(argv[2], options);
	} else {
		must(RVM_INIT(options), "RVM_INIT");
	}
	defs = enter(argv[2], options);
	if (!strcmp(argv[3], "create"))
		found();
	if (!strcmp(argv[3], "work") || !strcmp(argv[3], "kill")) {
		until = here.desk->rounds + atol(argv[4]);
		while (here.desk->rounds < until)
			one_round(here.desk->rounds);
		if (!strcmp(argv[3], "kill")) {
			steps = atol(argv[5]);
			one_round(until);
			wrong("the round is over");
		}
	}
	if (!strcmp(argv[3], "look"))
		look(atol(argv[4]));
	must(rvm_release_segment(PARTS, &defs), "rvm_release_segment");
	must(rvm_terminate(), "rvm_terminate");
	rvm_free_tid(tid);
	rvm_free_options(options);
	return 0;
}
