// SPDX-License-Identifier: LGPL-2.1-or-later
/* The manifest of a backup, as text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "manifest.h"

/* A path may hold any byte, JSON may not: all but plain characters are %XX. */
static void put_path(FILE *file, const char *path)
{
	const unsigned char *p;

	fputs("\"path\": \"", file);
	for (p = (const unsigned char *)path; *p; p++) {
		if (*p <= ' ' || *p >= 0x7f || strchr("\"\\%", *p))
			fprintf(file, "%%%02X", *p);
		else
			putc(*p, file);
	}
	putc('"', file);
}

static void put_uuid(FILE *file, const uint8_t uuid[16])
{
	int i;

	fputs("\"uuid\": \"", file);
	for (i = 0; i < 16; i++)
		fprintf(file, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
	putc('"', file);
}

static void put_owner(FILE *file, const struct manifest_owner *owner, bool device)
{
	fprintf(file, "\"device\": %s, \"mode\": %u, \"uid\": %u, \"gid\": %u",
		device ? "true" : "false", owner->mode, owner->uid, owner->gid);
}

static void put_digest(FILE *file, uint64_t length, const struct filecopy_digest *digest)
{
	fprintf(file, "\"length\": %" PRIu64 ", \"blocks\": %" PRIu64 ", \"crc32c\": \"%08" PRIx32
		"\"", length, digest->blocks, digest->crc);
}

static void put_log(FILE *file, const struct manifest *m)
{
	fputs("  \"log\": { ", file);
	put_path(file, m->path);
	fputs(", ", file);
	put_uuid(file, m->uuid);
	fprintf(file, ",\n    \"generation\": %" PRIu32 ", \"sector\": %" PRIu32 ", \"size\": %"
		PRIu64 ", ", m->generation, m->sector, m->size);
	put_owner(file, &m->owner, m->device);
	fprintf(file, ",\n    \"head\": %" PRIu64 ", \"tail\": %" PRIu64 " },\n", m->head, m->tail);
	fprintf(file, "  \"records\": { \"base\": %" PRIu64 ", ", m->base);
	put_digest(file, m->length, &m->digest);
	fputs(" },\n", file);
}

static void put_segment(FILE *file, const struct manifest_segment *s)
{
	fprintf(file, "    { \"id\": %" PRIu32 ", ", s->id);
	put_path(file, s->path);
	fputs(", ", file);
	put_uuid(file, s->uuid);
	fputs(",\n      ", file);
	put_owner(file, &s->owner, s->device);
	fputs(",\n      ", file);
	put_digest(file, s->length, &s->digest);
	fputs(" }", file);
}

static void put_all(FILE *file, const struct manifest *m)
{
	size_t i;

	fprintf(file, "{\n  \"rvm_backup\": %d,\n", MANIFEST_VERSION);
	put_log(file, m);
	fputs("  \"segments\": [", file);
	for (i = 0; i < m->count; i++) {
		fputs(i ? ",\n" : "\n", file);
		put_segment(file, &m->segments[i]);
	}
	fputs("\n  ],\n", file);
}

char *manifest_text(const struct manifest *m, size_t *length)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, length);

	if (!file)
		return NULL;
	put_all(file, m);
	if (!fflush(file))
		fprintf(file, MANIFEST_END, crc32c(0, text, *length));
	if (fclose(file)) {
		free(text);
		return NULL;
	}
	return text;
}

void manifest_free(struct manifest *m)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		free(m->segments[i].path);
	free(m->segments);
	free(m->path);
}
