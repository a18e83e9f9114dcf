/* SPDX-License-Identifier: GPL-2.0 */
/* Every bound of the module that the protocol does not name itself. */
#ifndef _RVMT_LIMITS_H
#define _RVMT_LIMITS_H

/* Slots of a region whose creator did not say, and the most one may ask for. */
#define RVMT_SLOTS_DEFAULT	1048576U
#define RVMT_SLOTS_MAX		67108864U

/* Regions that a user may have at once: each takes some 60 KiB of the kernel's memory. */
#define RVMT_REGIONS_DEFAULT	4096U

/* WRITEBACKs of a region that may be under way at once. */
#define RVMT_REQUESTS_DEFAULT	64U

/* Libraries are told when so many in a hundred pages of files wait for a writeback. */
#define RVMT_PRESSURE_DEFAULT	25U

/* Between two times that libraries are told that memory is short. */
#define RVMT_SHORTAGE_PAUSE	(HZ / 10)

/* So many jiffies at most waits whoever reclaims for the answer; it tries some hundred times. */
#define RVMT_SHORTAGE_WAIT	(HZ / 2)

/* When they were last asked so many jiffies ago or less, memory is short. */
#define RVMT_SHORTAGE_LASTS	(10 * HZ)

/* Free slots that keep their arena pages for the next transaction. */
#define RVMT_RETAIN_DEFAULT	1024U

/* Milliseconds that a store waits for another transaction that owns its page. */
#define RVMT_CONFLICT_DEFAULT	1000U

/* Of these, how many jiffies at once: nobody can change the mappings meanwhile. */
#define RVMT_CONFLICT_NAP	(HZ / 50)

/* Pages that TX_END and ARM write-protect at once. */
#define RVMT_BATCH		256U

/* A run of pages is dense when neighbours are at most this far apart ... */
#define RVMT_DENSE_GAP		16U
/* ... and there are at least so many. */
#define RVMT_DENSE_MIN		8U

/* Pages copied and in flight to the segment at once. */
#define RVMT_WB_CHUNK		256U

/* Pages written between two syncs of the segment. */
#define RVMT_WB_SYNC		16384U
/* ... and of how many pages of the machine one of them: nobody can reclaim them meanwhile. */
#define RVMT_WB_SHARE		128U

/* Tries to raise a word's LSN while the library changes it. */
#define RVMT_LSN_TRIES		64U

#endif /* _RVMT_LIMITS_H */
