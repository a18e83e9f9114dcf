// SPDX-License-Identifier: GPL-2.0
/* What the kernel and the processor take for a page, without this library. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "mechanism.h"
#include "workload.h"

#define LENGTH	(MECHANISM_PAGES * WORKLOAD_PAGE)

static char *memory, *other;
static char ramfs[PATH_MAX];
static int uffd;

static char *map(int fd)
{
	char *at = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
			fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		die("mmap", strerror(errno));
	/* in large pages nothing faults */
	madvise(at, LENGTH, MADV_NOHUGEPAGE);
	return at;
}

static bool open_memory(const char *dir)
{
	(void)dir;
	memory = map(-1);
	other = map(-1);
	memset(memory, 1, LENGTH);
	memset(other, 1, LENGTH);
	return true;
}

static void close_memory(void)
{
	munmap(memory, LENGTH);
	munmap(other, LENGTH);
}

static void store_all(void)
{
	size_t at;

	for (at = 0; at < LENGTH; at += WORKLOAD_PAGE)
		++*(volatile char *)(memory + at);
}

/* As the kernel copies a page. */
static void copy_all(void)
{
	const char *from = memory;
	size_t words = LENGTH / sizeof(long);
	char *to = other;

	__asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(words) : : "memory");
}

static void compare_all(void)
{
	size_t at;

	for (at = 0; at < LENGTH; at += WORKLOAD_PAGE)
		if (memcmp(memory + at, other + at, WORKLOAD_PAGE))
			die("compare", "pages that are the same are not");
}

static void call_all(void)
{
	int i;

	for (i = 0; i < MECHANISM_PAGES; i++)
		syscall(SYS_getppid);
}

static void unprotect(int number, siginfo_t *info, void *context)
{
	char *page = (char *)((unsigned long)info->si_addr & -WORKLOAD_PAGE);

	(void)number;
	(void)context;
	if (page < memory || page >= memory + LENGTH || mprotect(page, WORKLOAD_PAGE,
								 PROT_READ | PROT_WRITE))
		_exit(1);
}

static bool open_signals(const char *dir)
{
	struct sigaction action = { .sa_sigaction = unprotect, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	return open_memory(dir);
}

static void close_signals(void)
{
	signal(SIGSEGV, SIG_DFL);
	close_memory();
}

static void protect(void)
{
	if (mprotect(memory, LENGTH, PROT_READ))
		die("mprotect", strerror(errno));
}

static int protect_by_uffd(char *at, size_t length, bool protect)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)at, .len = length },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
}

static void unprotect_by_uffd(int number, siginfo_t *info, void *context)
{
	char *page = (char *)((unsigned long)info->si_addr & -WORKLOAD_PAGE);

	(void)number;
	(void)context;
	if (page < memory || page >= memory + LENGTH ||
	    protect_by_uffd(page, WORKLOAD_PAGE, false))
		_exit(1);
}

/* Of memory that has no file: the kernel sends this signal for no private page of most files. */
static bool open_uffd(const char *dir)
{
	struct sigaction action = { .sa_sigaction = unprotect_by_uffd, .sa_flags = SA_SIGINFO };
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (uffd < 0)
		return false;
	open_memory(dir);
	reg.range = (struct uffdio_range) { .start = (uintptr_t)memory, .len = LENGTH };
	if (ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg)) {
		close_memory();
		close(uffd);
		return false;
	}
	sigaction(SIGBUS, &action, NULL);
	return true;
}

static void close_uffd(void)
{
	signal(SIGBUS, SIG_DFL);
	close_memory();
	close(uffd);
}

static void protect_all_by_uffd(void)
{
	if (protect_by_uffd(memory, LENGTH, true))
		die("UFFDIO_WRITEPROTECT", strerror(errno));
}

static bool open_shared(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/shared", dir) >= (int)sizeof(path))
		die(dir, "it is too long");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, LENGTH))
		die(path, strerror(errno));
	memory = map(fd);
	close(fd);
	store_all();
	return true;
}

/* Where nobody else sees it, and by root only. */
static bool open_ramfs(const char *dir)
{
	snprintf(ramfs, sizeof(ramfs), "%s", dir);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", dir, "ramfs", 0, NULL))
		return false;
	return open_shared(dir);
}

static void close_shared(void)
{
	munmap(memory, LENGTH);
}

static void close_ramfs(void)
{
	close_shared();
	umount(ramfs);
}

/* Read again, so that each page is mapped, but not for writing. */
static void map_readonly(void)
{
	size_t at;

	if (madvise(memory, LENGTH, MADV_DONTNEED))
		die("madvise", strerror(errno));
	for (at = 0; at < LENGTH; at += WORKLOAD_PAGE)
		(void)*(volatile char *)(memory + at);
}

const struct mechanism mechanisms[] = {
	{ "store", open_memory, NULL, store_all, close_memory },
	{ "page copy", open_memory, NULL, copy_all, close_memory },
	{ "page compare", open_memory, NULL, compare_all, close_memory },
	{ "system call", NULL, NULL, call_all, NULL },
	{ "SIGSEGV and mprotect", open_signals, protect, store_all, close_signals },
	{ "SIGBUS and UFFDIO_WRITEPROTECT", open_uffd, protect_all_by_uffd, store_all, close_uffd },
	{ "write fault of ramfs", open_ramfs, map_readonly, store_all, close_ramfs },
	{ "write fault of a file", open_shared, map_readonly, store_all, close_shared },
	{ 0 }
};
