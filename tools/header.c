// SPDX-License-Identifier: LGPL-2.1-or-later
/* The load map at the start of a segment's file. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "err.h"
#include "header.h"
#include "loadmap.h"
#include "os.h"

static int check_regions(int fd, const struct disk_loadmap *map, size_t count,
			 const struct loadmap_more *more, uint64_t length)
{
	rvm_region_def_t *defs;
	void *rest;
	int err;

	if (more->offset > length || more->length > length - more->offset)
		return err_set(EUCLEAN, "its load map has a rest behind the end of the segment");
	defs = calloc(count + 1, sizeof(*defs));
	rest = malloc(more->length + 1);
	err = defs && rest ? os_read(fd, rest, more->length, more->offset) : -ENOMEM;
	if (err)
		err_set(-err, "its load map cannot be read: %s", err_name(err));
	else
		err = loadmap_decode(map, rest, length, defs);
	free(rest);
	free(defs);
	return err;
}

static int check(int fd)
{
	struct os_geometry geometry;
	struct loadmap_more more;
	struct disk_loadmap map;
	size_t count;
	int err;

	err = os.geometry(fd, &geometry);
	if (!err && geometry.size < sizeof(map))
		return 0;
	if (!err)
		err = os_read(fd, &map, sizeof(map), 0);
	if (err)
		return err_set(-err, "cannot read it: %s", err_name(err));
	if (le64toh(map.magic) != LOADMAP_MAGIC)
		return 0;
	err = loadmap_check(&map, &count, &more);
	return err ? err : check_regions(fd, &map, count, &more, geometry.size);
}

int header_check(const char *path)
{
	int fd = os.open(path, O_RDONLY | O_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return err_set(-fd, "segment %s: cannot open it: %s", path, err_name(fd));
	err = check(fd);
	os.close(fd);
	return err == -EPROTO ? -EUCLEAN : err;
}
