// SPDX-License-Identifier: GPL-2.0
/* The real I/O calls, with the judge of the order of writes told. */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "order.h"
#include "os.h"

/* The linker has this suite take the others for os_real. */
extern const struct os_io __real_os_real;

static int real_open(const char *path, int flags, mode_t mode)
{
	int fd = __real_os_real.open(path, flags, mode);
	char canonical[PATH_MAX];

	order_reader = NULL;
	if (fd >= 0 && !__real_os_real.canonical(path, canonical))
		order_judge->opened(fd, canonical, (flags & O_ACCMODE) == O_RDWR);
	return fd;
}

static int real_close(int fd)
{
	order_judge->closed(fd);
	return __real_os_real.close(fd);
}

static ssize_t real_pread(int fd, void *buf, size_t length, uint64_t offset)
{
	ssize_t n = __real_os_real.pread(fd, buf, length, offset);

	if (n > 0)
		order_judge->read(fd, buf, n, offset);
	return n;
}

static ssize_t real_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	ssize_t n;

	order_judge->writing(fd, iov, count, offset);
	n = __real_os_real.pwritev(fd, iov, count, offset, sync);
	if (n > 0)
		order_judge->written(fd, iov, count, offset, n, sync);
	return n;
}

/* It was opened as a nameless file of its directory. */
static int real_name(int fd, const char *path)
{
	int err = __real_os_real.name(fd, path);
	char canonical[PATH_MAX];

	if (!err && !__real_os_real.canonical(path, canonical)) {
		order_judge->closed(fd);
		order_judge->opened(fd, canonical, true);
	}
	return err;
}

static int real_datasync(int fd)
{
	int err;

	order_judge->syncing(fd);
	err = __real_os_real.datasync(fd);
	if (!err)
		order_judge->synced(fd);
	return err;
}

static int real_sync(int fd)
{
	int err;

	order_judge->syncing(fd);
	err = __real_os_real.sync(fd);
	if (!err)
		order_judge->synced(fd);
	return err;
}

struct os_io __wrap_os_real;

/* Before any test, and before main(). */
__attribute__((constructor(101)))
static void install(void)
{
	__wrap_os_real = __real_os_real;
	__wrap_os_real.open = real_open;
	__wrap_os_real.close = real_close;
	__wrap_os_real.name = real_name;
	__wrap_os_real.pread = real_pread;
	__wrap_os_real.pwritev = real_pwritev;
	__wrap_os_real.datasync = real_datasync;
	__wrap_os_real.sync = real_sync;
	os = __wrap_os_real;
	order_kernel_writes = getenv("RVM_VM") || getenv("RVM_TEST_KMOD");
}
