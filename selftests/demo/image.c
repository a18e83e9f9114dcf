// SPDX-License-Identifier: GPL-2.0
/* The segment file as the disk has it, read behind everybody's back. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

#define ALIGNMENT	4096UL

static int make_room(struct image *image, size_t length)
{
	if (length <= image->length)
		return 0;
	free(image->bytes);
	image->length = 0;
	image->bytes = aligned_alloc(ALIGNMENT, (length + ALIGNMENT - 1) & -ALIGNMENT);
	return image->bytes ? 0 : -ENOMEM;
}

static int read_all(struct image *image, int fd)
{
	off_t length = lseek(fd, 0, SEEK_END);
	size_t done = 0;
	ssize_t n = 1;

	if (length < 0 || make_room(image, length))
		return -ENOMEM;
	while (done < (size_t)length && n > 0) {
		n = pread(fd, (char *)image->bytes + done, length - done, done);
		if (n < 0)
			return -errno;
		done += n;
	}
	image->length = done;
	return 0;
}

static int read_with(struct image *image, const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	int ret;

	if (fd < 0)
		return -errno;
	ret = read_all(image, fd);
	close(fd);
	return ret;
}

int image_read(struct image *image, const char *path)
{
	int ret = read_with(image, path, O_DIRECT);

	if (ret == -EINVAL)
		ret = read_with(image, path, 0);
	if (ret != -ENOENT)
		return ret;
	image->length = 0;
	return 0;
}

size_t image_count(const struct image *image, uint64_t marker)
{
	const uint64_t *word = image->bytes;
	size_t count = 0, i;

	for (i = 0; i < image->length / sizeof(*word); i++)
		count += word[i] == marker;
	return count;
}

bool image_audit(const struct image *image, const struct bank *bank, struct ledger *ledger)
{
	const struct bank *old = image->bytes;
	const struct bank_account *account;
	unsigned int i;

	if (image->length < sizeof(*old))
		return true;
	for (i = 0; i < BANK_TELLERS; i++)
		if (old->teller[i].done > bank->teller[i].done)
			return ledger_fault(ledger, "LEAK: transfer %lu of teller %u",
					    old->teller[i].done, i);
	for (i = 0; i < BANK_ACCOUNTS; i++) {
		account = &old->account[i];
		if (account->teller >= BANK_TELLERS ||
		    account->number > bank->teller[account->teller].done)
			return ledger_fault(ledger, "LEAK: account %u by %u/%u", i,
					    account->teller, account->number);
	}
	return true;
}
