/* SPDX-License-Identifier: MIT */
#include "fs/run/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "fs/run/rooted.h"

#define NOTE "image"

static int write_note(int dir, const char *text, struct err *e)
{
	int rc = 0, fd = openat(dir, NOTE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
		rc = -errno;
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = -errno;
	/* A part of it would be taken for another image's. */
	if (rc < 0 && fd >= 0)
		unlinkat(dir, NOTE, 0);
	return rc < 0 ? err_set(e, rc, "cannot write %s: %s", NOTE, strerror(-rc)) : 0;
}

static int compare_note(const struct buf *note, const char *text, struct err *e)
{
	struct digest noted;
	char other[DIGEST_TEXT_MAX];
	const char *line = buf_text(note);
	size_t len = strcspn(line, "\n");

	if (len == strlen(text) && memcmp(line, text, len) == 0)
		return 0;
	if (digest_parse(line, len, &noted) < 0)
		return err_set(e, -EINVAL, "the file %s in it has no digest", NOTE);
	return err_set(e, -EINVAL,
		       "it keeps what was written above another image, %s; use another "
		       "directory, or remove the file %s in it to use it all the same",
		       digest_format(&noted, other), NOTE);
}

int kept_claim(int dir, const struct digest *manifest, struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	struct buf note;
	int rc;

	digest_format(manifest, text);
	buf_init(&note, 4 * DIGEST_TEXT_MAX);
	rc = rooted_load(dir, NOTE, &note);
	if (rc == -ENOENT)
		rc = write_note(dir, text, e);
	else if (rc < 0)
		err_set(e, rc, "cannot read %s: %s", NOTE, strerror(-rc));
	else
		rc = compare_note(&note, text, e);
	buf_release(&note);
	return rc;
}
