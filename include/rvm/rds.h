/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RDS, recoverable dynamic storage: malloc and free in a region of recoverable
 * memory, each part of a transaction.
 *
 * Source-compatible with CMU RVM 1.3; rds(3) has all of the errors.
 *
 * A process has at most one heap at a time.  Any number of threads and of
 * transactions may use it at once; nothing waits for a transaction to end:
 *  - A block that a transaction allocated is its alone, and free again if it
 *    aborts.
 *  - A block that a transaction freed stays out of everyone else's hands until
 *    that transaction has committed, and is allocated as before if it aborts.
 *  - How free space is divided into blocks belongs to no transaction of the
 *    program: the heap splits and joins free blocks in transactions of its own.
 * Only rds_start_heap, rds_stop_heap, rds_load_heap and rds_unload_heap must run
 * alone.
 *
 * Where a function has both, the error is its value and is also in *err; err
 * may be NULL.  0 is SUCCESS, a negative value one of the codes below, a positive
 * one a code of rvm.h.  rvm_error() says more.
 */
#ifndef RVM_RDS_H
#define RVM_RDS_H

#include <rvm/rvm.h>
#include <rvm/rvm_segment.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SUCCESS			0
#define ERVM_FAILED		(-1)	/* RVM failed; today its own code is told instead */
#define EBAD_LIST		(-2)	/* the chain of blocks is broken */
#define EBAD_SEGMENT_HDR	(-3)	/* the segment's regions are not those of a heap */
#define EHEAP_VERSION_SKEW	(-4)	/* no heap, or one of another version */
#define EHEAP_INIT		(-5)	/* the heap is started already, or is not */
#define EBAD_ARGS		(-6)	/* an argument is wrong */
#define ECORRUPT		(-7)	/* bytes of the heap's own were overwritten */
#define EFREED_TWICE		(-8)	/* the block is free */
#define ENO_ROOM		(-9)	/* no free block is large enough */

/**
 * struct rds_stats_t - counters since the heap was started
 * @malloc: calls of rds_malloc that succeeded
 * @prealloc: blocks that rds_prealloc made
 * @free: calls of rds_free that succeeded
 * @coalesce: times that all free neighbours were joined
 * @hits: mallocs for which a block of that very size was free
 * @misses: those for which another had to be split
 * @large_list: large free blocks, now
 * @large_hits: mallocs of a large block that found one
 * @large_misses: those that had to join free blocks first, or found none
 * @merged: blocks that were joined to the one before
 * @unmerged: blocks that were split off
 * @freebytes: bytes in free blocks, now
 * @mallocbytes: bytes in allocated blocks, now
 *
 * A count that does not fit is UINT_MAX.  Bytes include the heap's own in each block.
 */
typedef struct {
	unsigned int malloc;
	unsigned int prealloc;
	unsigned int free;
	unsigned int coalesce;
	unsigned int hits;
	unsigned int misses;
	unsigned int large_list;
	unsigned int large_hits;
	unsigned int large_misses;
	unsigned int merged;
	unsigned int unmerged;
	unsigned int freebytes;
	unsigned int mallocbytes;
} rds_stats_t;

#define STARTSIZE 128	/* entries of a new intention list */

/**
 * struct intlist - blocks to be freed later
 * @size: room in the table
 * @count: blocks in it
 * @table: malloc'ed; NULL: the list is empty
 */
typedef struct intlist {
	unsigned long size;
	unsigned long count;
	char **table;
} intentionList_t;

/* The regions of the loaded heap: the heap itself and the static area. */
extern rvm_region_def_t *RegionDefs;
extern unsigned long NRegionDefs;

/* For test programs: not 0 makes rds_stop_heap and rds_unload_heap check all of the heap. */
extern int rds_testsw;

/* Tracing: not 0 while each call is written to the file. */
extern int rds_tracing;
extern FILE *rds_tracing_file;

/* Make a heap, start and stop it. */
int rds_zap_heap(char *dev, rvm_offset_t devlen, char *startaddr, rvm_length_t staticlen,
		 rvm_length_t heaplen, unsigned long nlists, unsigned long chunksize, int *err);
int rds_init_heap(char *base, rvm_length_t length, unsigned long chunksize,
		  unsigned long nlists, rvm_tid_t *tid, int *err);
int rds_load_heap(char *dev, rvm_offset_t devlen, char **staticaddr, int *err);
int rds_unload_heap(int *err);
int rds_start_heap(char *addr, int *err);
int rds_stop_heap(int *err);

/* Allocate and free; tid NULL: in a transaction of its own, durable on return. */
int rds_prealloc(unsigned long size, unsigned long nblocks, rvm_tid_t *tid, int *err);
char *rds_malloc(unsigned long size, rvm_tid_t *tid, int *err);
int rds_free(char *addr, rvm_tid_t *tid, int *err);
int rds_maxblock(unsigned long size);

/* Free later: note blocks while a transaction runs, free them after it. */
int rds_fake_free(char *addr, intentionList_t *list);
int rds_do_free(intentionList_t *list, rvm_mode_t mode);

/* Statistics and tracing. */
int rds_print_stats(void);
int rds_clear_stats(int *err);
int rds_get_stats(rds_stats_t *stats);
int rds_trace_on(FILE *file);
int rds_trace_off(void);
int rds_trace_dump_heap(void);

#ifdef __cplusplus
}
#endif

#endif /* RVM_RDS_H */
