/* SPDX-License-Identifier: MIT */
#include "fs/image/erofs_file.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/store/room.h"
#include "base/store/store.h"
#include "fs/erofs/image.h"
#include "fs/image/context.h"
#include "fs/options/log.h"

/* What an entry takes: an inode, a name, and where its contents are. */
#define BYTES_EACH 128

/* A UUID of version 8 (RFC 9562, 5.8). */
static void make_uuid(const struct digest *d, uint8_t uuid[EROFS_UUID_SIZE])
{
	memcpy(uuid, d->bytes, EROFS_UUID_SIZE);
	uuid[6] = (uint8_t)(0x80 | (uuid[6] & 0x0f));
	uuid[8] = (uint8_t)(0x80 | (uuid[8] & 0x3f));
}

static int new_file(struct context *c, bool in_memory)
{
	int fd = in_memory ? memfd_create("peelfs-erofs", MFD_CLOEXEC)
			   : store_new_file(c->store);

	return in_memory && fd < 0 ? -errno : fd;
}

static int make_in(struct context *c, const struct erofs_tree *tree, const uint8_t *uuid,
		   bool in_memory, struct erofs_image **out)
{
	int meta = new_file(c, in_memory), extents;

	if (meta < 0)
		return meta;
	extents = new_file(c, in_memory);
	if (extents < 0) {
		close(meta);
		return extents;
	}
	return erofs_image_new(tree, uuid, meta, extents, &c->is_cancelled, out);
}

/* Whether a failure is that of a disk. */
static bool may_fit_memory(int rc)
{
	return rc < 0 && rc != -ENOMEM && rc != -EINTR && rc != -EBADMSG && rc != -EFBIG;
}

static int erofs_failed(const struct erofs_from *from, int rc, struct err *e)
{
	const char *why = rc == -EFBIG	   ? "the tree is too large for EROFS"
			  : rc == -EBADMSG ? "the index of a layer is damaged"
					   : strerror(-rc);

	return err_set(e, rc, "%s of %s: %s", from->file, from->whose, why);
}

int erofs_file_make(struct context *c, const struct erofs_from *from,
		    struct erofs_image **out, struct err *e)
{
	uint8_t uuid[EROFS_UUID_SIZE];
	int rc = store_make_room(c->store, from->n_entries * BYTES_EACH);

	make_uuid(from->digest, uuid);
	if (rc == 0)
		rc = make_in(c, from->tree, uuid, false, out);
	if (may_fit_memory(rc))
		rc = make_in(c, from->tree, uuid, true, out);
	if (rc < 0)
		return erofs_failed(from, rc, e);
	if (erofs_image_dropped(*out))
		log_warn(c->log,
			 "%s of %s lacks %u extended attributes that EROFS cannot "
			 "express",
			 from->file, from->whose, erofs_image_dropped(*out));
	return 0;
}
