/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A gate that many threads pass all the time at the cost of two plain stores, and that somebody
 * closes once in a long while.
 *
 *	who passes				who closes
 *	P1  inside = 1				C1  closed = 1
 *	    barrier for the compiler		C2  membarrier(2)
 *	P2  read closed; if 1: P4		C3  wait until inside is 0, for all who pass
 *	P3  what the gate is for		C4  what nobody may be inside for
 *	P4  inside = 0				C5  closed = 0
 *
 * Claim: nobody is at P3 between C3 and C5.  C2 makes every thread that runs execute a full
 * barrier, somewhere between two of its instructions; one that does not run went through one
 * when it stopped.  If that is before P2, P2 reads what C1 stored.  If it is after P2, it is
 * after P1 as well, so C3 sees who is inside, and waits for P4.  What was done at P3 is seen
 * at C4, since P4 releases and C3 acquires; what was done at C4 is seen at P3, since C5 releases
 * and P2 acquires.
 */
#ifndef RVM_LIB_GATE_H
#define RVM_LIB_GATE_H

#include <stdbool.h>

/**
 * struct gate - a gate
 * @closed: nobody passes
 */
struct gate {
	bool closed;
};

/**
 * gate_prepare() - make sure that the gate can be closed
 *
 * Return: whether it can; where the kernel has no membarrier(2) it can not.  To be called
 * again in a child.
 */
bool gate_prepare(void);

/** gate_close() - steps C1 and C2; one closes at a time, and has prepared in this process */
void gate_close(struct gate *gate);

/** gate_wait() - step C3 for one of those who pass, by what it gives to gate_enter() */
void gate_wait(const bool *inside);

/** gate_open() - step C5 */
void gate_open(struct gate *gate);

/**
 * gate_enter() - steps P1 and P2
 * @gate: the gate
 * @inside: of who passes, and of nobody else
 *
 * Return: false if the gate is closed.
 */
static inline bool gate_enter(const struct gate *gate, bool *inside)
{
	__atomic_store_n(inside, true, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&gate->closed, __ATOMIC_ACQUIRE))
		return true;
	__atomic_store_n(inside, false, __ATOMIC_RELEASE);
	return false;
}

/** gate_leave() - step P4 */
static inline void gate_leave(bool *inside)
{
	__atomic_store_n(inside, false, __ATOMIC_RELEASE);
}

#endif
