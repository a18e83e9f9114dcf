// SPDX-License-Identifier: LGPL-2.1-or-later
/* The process's handlers of SIGSEGV and SIGBUS: they resolve, refuse or pass on a store. */
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
#include "refusal.h"

/* Bit 1 of the page fault error code of x86: the access was a store. */
#define X86_PF_WRITE	2

/* Guards installation only: the handler reads what was written before it was installed. */
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed;
static fault_fn judge;
static struct sigaction previous;
static bool bus_installed;
static struct sigaction bus_previous;

/* Was it a store, as far as the machine tells? */
static bool is_write(const ucontext_t *context)
{
#ifdef __x86_64__
	return context->uc_mcontext.gregs[REG_ERR] & X86_PF_WRITE;
#else
	(void)context;
	return true;
#endif
}

/* May it be a store to a mapped page that is not writable? */
static bool is_store(const siginfo_t *info, const ucontext_t *context)
{
	return info->si_code == SEGV_ACCERR && is_write(context);
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
static void take_default(int sig, siginfo_t *info)
{
	set_default(sig);
	if (info->si_code <= 0)
		send_to_self(sig, info);
}

/* Call the program's handler as the kernel would have. */
static void call_previous(int sig, struct sigaction *old, siginfo_t *info, ucontext_t *context)
{
	struct sigaction action = *old;
	sigset_t mask = context->uc_sigmask;

	sigorset(&mask, &mask, &action.sa_mask);
	if (!(action.sa_flags & SA_NODEFER))
		sigaddset(&mask, sig);
	if (action.sa_flags & SA_RESETHAND)
		old->sa_handler = SIG_DFL;
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (action.sa_flags & SA_SIGINFO)
		action.sa_sigaction(sig, info, context);
	else
		action.sa_handler(sig);
}

static bool is_handler(const struct sigaction *action)
{
	return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

static void pass_on(int sig, struct sigaction *old, siginfo_t *info, ucontext_t *context)
{
	if (old->sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (is_handler(old))
		call_previous(sig, old, info, context);
	else
		take_default(sig, info);
}

static void handle_bus(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	int err = errno;

	if (!is_handler(&bus_previous) && info->si_code == BUS_ADRERR && is_write(context))
		refusal_print(info->si_addr, instruction(context));
	pass_on(sig, &bus_previous, info, context);
	errno = err;
}

/* Would nobody be told of a SIGBUS now? */
static bool bus_is_default(const ucontext_t *context)
{
	struct sigaction action;

	sigaction(SIGBUS, NULL, &action);
	if (action.sa_flags & SA_SIGINFO && action.sa_sigaction == handle_bus)
		action = bus_previous;
	return !is_handler(&action) || sigismember(&context->uc_sigmask, SIGBUS);
}

/*
 * SIGBUS becomes pending here and is delivered when this handler returns,
 * before the store is tried again.  Who blocks or ignores it is killed by it,
 * as by one that the kernel raises.
 */
static void refuse(const siginfo_t *info, ucontext_t *context)
{
	siginfo_t bus = { .si_signo = SIGBUS, .si_code = BUS_ADRERR };

	bus.si_addr = info->si_addr;
	if (bus_is_default(context)) {
		refusal_print(info->si_addr, instruction(context));
		set_default(SIGBUS);
		sigdelset(&context->uc_sigmask, SIGBUS);
	}
	send_to_self(SIGBUS, &bus);
}

static void handle(int sig, siginfo_t *info, void *arg)
{
	enum fault_verdict verdict = FAULT_FOREIGN;
	ucontext_t *context = arg;
	int err = errno;

	if (is_store(info, context))
		verdict = judge(info->si_addr, instruction(context));
	if (verdict == FAULT_REFUSED)
		refuse(info, context);
	else if (verdict == FAULT_FOREIGN)
		pass_on(sig, &previous, info, context);
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

/* What the handler reads is written before it is installed. */
static int install_bus_locked(void)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (bus_installed)
		return 0;
	action.sa_sigaction = handle_bus;
	sigfillset(&action.sa_mask);
	if (sigaction(SIGBUS, NULL, &bus_previous) || sigaction(SIGBUS, &action, NULL))
		return err_set(errno, "sigaction(SIGBUS): %s", strerror(errno));
	bus_installed = true;
	return 0;
}

int fault_install_bus(void)
{
	int err;

	pthread_mutex_lock(&install_lock);
	err = install_bus_locked();
	pthread_mutex_unlock(&install_lock);
	return err;
}
