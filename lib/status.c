// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a log stores twice at a fixed place: its status. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>

#include "err.h"
#include "status.h"

/* Version and features decide before damage: a newer library's log is not called damaged. */
static int check_features(const struct logfile *file, const struct format_status *status)
{
	uint32_t unknown = status->incompat & ~FORMAT_INCOMPAT;

	if (unknown)
		return err_set(EPROTO, "log %s: it uses features (incompat 0x%" PRIx32
			       ") that this library does not know", file->path, unknown);
	unknown = status->ro_compat & ~FORMAT_RO_COMPAT;
	if (unknown && !file->readonly)
		return err_set(EPROTO, "log %s: it uses features (ro_compat 0x%" PRIx32
			       ") that this library does not know; it may only be read",
			       file->path, unknown);
	return 0;
}

static int check_size(const struct logfile *file, const struct format_status *status)
{
	uint64_t need = status->area_offset + status->area_size;

	if (file->size < need)
		return err_set(EUCLEAN, "log %s: it has %" PRIu64 " bytes, but its status says %"
			       PRIu64 "; it was cut off", file->path, file->size, need);
	return 0;
}

static int refuse_version(const struct logfile *file, const struct disk_status *disk)
{
	return err_set(EPROTO, "log %s: it has version %" PRIu32 " of the format, this library knows version %u",
		       file->path, le32toh(disk->version), FORMAT_VERSION);
}

/* No copy is whole: say which of the reasons counts. */
static int refuse(const struct logfile *file, const int err[2], const char *const why[2])
{
	if (err[0] == -EINVAL && err[1] == -EINVAL)
		return err_set(EINVAL, "log %s: it is not a log", file->path);
	return err_set(EUCLEAN, "log %s: both statuses are damaged (byte 0: %s; byte %u: %s)",
		       file->path, why[0], FORMAT_BLOCK, why[1]);
}

int status_load(struct logfile *file, struct format_status *status,
		struct status_copies *copies)
{
	_Alignas(LOGFILE_ALIGN) struct disk_status disk[2];
	struct format_status found[2];
	const char *why[2];
	int err[2], ret, i;

	if (file->size < sizeof(disk))
		return err_set(EINVAL, "log %s: it is too short for a log", file->path);
	ret = logfile_read(file, 0, disk, sizeof(disk));
	if (ret)
		return ret;
	for (i = 0; i < 2; i++) {
		err[i] = format_status_decode(&disk[i], &found[i], &why[i]);
		copies->valid[i] = !err[i];
		if (err[i] == -EPROTO)
			return refuse_version(file, &disk[i]);
	}
	if (err[0] && err[1])
		return refuse(file, err, why);
	copies->newest = err[0] || (!err[1] && found[1].sequence > found[0].sequence);
	*status = found[copies->newest];
	file->area_offset = status->area_offset;
	file->area_size = status->area_size;
	ret = check_features(file, status);
	return ret ? ret : check_size(file, status);
}

int status_store(struct logfile *file, struct format_status *status,
		 struct status_copies *copies)
{
	_Alignas(LOGFILE_ALIGN) struct disk_status disk;
	int err = 0, i;

	for (i = 0; i < 2 && !err; i++) {
		int older = !copies->newest;

		status->sequence++;
		format_status_encode(status, &disk);
		err = logfile_write(file, older * sizeof(disk), &disk, sizeof(disk));
		if (!err) {
			copies->valid[older] = true;
			copies->newest = older;
		}
	}
	return err;
}
