// SPDX-License-Identifier: LGPL-2.1-or-later
/* The process's SIGSEGV handler: it resolves, refuses or passes on a store. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "err.h"
#include "fault.h"

/* Bit 1 of the page fault error code of x86: the access was a store. */
#define X86_PF_WRITE	2

/* Guards installation only: the handler reads what was written before it was installed. */
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed;
static fault_fn judge;
static struct sigaction previous;

/* May it be a store to a mapped page that is not writable? */
static bool is_store(const siginfo_t *info, const ucontext_t *context)
{
	if (info->si_code != SEGV_ACCERR)
		return false;
#ifdef __x86_64__
	return context->uc_mcontext.gregs[REG_ERR] & X86_PF_WRITE;
#else
	(void)context;
	return true;
#endif
}

static uint64_t instruction(const ucontext_t *context)
{
#ifdef __x86_64__
	return context->uc_mcontext.gregs[REG_RIP];
#else
	(void)context;
	return 0;
#endif
}

static void set_default(int sig)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(sig, &action, NULL);
}

static void send_to_self(int sig, siginfo_t *info)
{
	syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), sig, info);
}

/* A fault comes again by itself when the handler returns, a sent signal does not. */
static void take_default(siginfo_t *info)
{
	set_default(SIGSEGV);
	if (info->si_code <= 0)
		send_to_self(SIGSEGV, info);
}

/* Call the program's handler as the kernel would have. */
static void call_previous(siginfo_t *info, ucontext_t *context)
{
	struct sigaction action = previous;
	sigset_t mask = context->uc_sigmask;

	sigorset(&mask, &mask, &action.sa_mask);
	if (!(action.sa_flags & SA_NODEFER))
		sigaddset(&mask, SIGSEGV);
	if (action.sa_flags & SA_RESETHAND)
		previous.sa_handler = SIG_DFL;
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (action.sa_flags & SA_SIGINFO)
		action.sa_sigaction(SIGSEGV, info, context);
	else
		action.sa_handler(SIGSEGV);
}

static void pass_on(siginfo_t *info, ucontext_t *context)
{
	if (previous.sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (previous.sa_handler == SIG_IGN || previous.sa_handler == SIG_DFL)
		take_default(info);
	else
		call_previous(info, context);
}

/* stdio and its like are not for signal handlers. */
static void print_refusal(uint64_t offset)
{
	char text[] = "rvm: store outside any transaction at region offset 0x0000000000000000\n";
	char *digit = text + sizeof(text) - 2;
	ssize_t written;

	while (*--digit != 'x') {
		*digit = "0123456789abcdef"[offset % 16];
		offset /= 16;
	}
	written = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)written;
}

/*
 * SIGBUS becomes pending here and is delivered when this handler returns,
 * before the store is tried again.  Who blocks or ignores it is killed by it,
 * as by one that the kernel raises.
 */
static void refuse(const siginfo_t *info, ucontext_t *context, uint64_t offset)
{
	siginfo_t bus = { .si_signo = SIGBUS, .si_code = BUS_ADRERR };
	struct sigaction action;

	bus.si_addr = info->si_addr;
	sigaction(SIGBUS, NULL, &action);
	if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN ||
	    sigismember(&context->uc_sigmask, SIGBUS)) {
		print_refusal(offset);
		set_default(SIGBUS);
		sigdelset(&context->uc_sigmask, SIGBUS);
	}
	send_to_self(SIGBUS, &bus);
}

static void handle(int sig, siginfo_t *info, void *arg)
{
	enum fault_verdict verdict = FAULT_FOREIGN;
	ucontext_t *context = arg;
	uint64_t offset = 0;
	int err = errno;

	(void)sig;
	if (is_store(info, context))
		verdict = judge(info->si_addr, instruction(context), &offset);
	if (verdict == FAULT_REFUSED)
		refuse(info, context, offset);
	else if (verdict == FAULT_FOREIGN)
		pass_on(info, context);
	errno = err;
}

static int check_locked(struct sigaction *current)
{
	if (sigaction(SIGSEGV, NULL, current))
		return err_set(errno, "sigaction(SIGSEGV): %s", strerror(errno));
	if (installed && current->sa_sigaction != handle)
		return err_set(EBUSY, "the program replaced the library's SIGSEGV handler");
	return 0;
}

static int install_locked(fault_fn fn)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
	int err;

	if (installed)
		return check_locked(&action);
	err = check_locked(&previous);
	if (err)
		return err;
	judge = fn;
	action.sa_sigaction = handle;
	sigfillset(&action.sa_mask);
	if (sigaction(SIGSEGV, &action, NULL))
		return err_set(errno, "sigaction(SIGSEGV): %s", strerror(errno));
	installed = true;
	return 0;
}

int fault_check(void)
{
	struct sigaction current;
	int err;

	pthread_mutex_lock(&install_lock);
	err = check_locked(&current);
	pthread_mutex_unlock(&install_lock);
	return err;
}

int fault_install(fault_fn fn)
{
	int err;

	pthread_mutex_lock(&install_lock);
	err = install_locked(fn);
	pthread_mutex_unlock(&install_lock);
	return err;
}
