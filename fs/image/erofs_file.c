/* SPDX-License-Identifier: MIT */
#include "fs/image/erofs_file.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/store/room.h"
#include "base/store/store.h"
#include "fs/erofs/image.h"
#include "fs/erofs/merged_tree.h"
#include "fs/image/context.h"
#include "fs/options/log.h"
#include "registry/image/image.h"

/* What an entry takes: an inode, a name, and where its contents are. */
#define BYTES_EACH 128

/* A UUID of version 8 (RFC 9562, 5.8), made of the digest of the manifest. */
static void make_uuid(const struct image *img, uint8_t uuid[EROFS_UUID_SIZE])
{
	memcpy(uuid, img->manifest_descriptor.digest.bytes, EROFS_UUID_SIZE);
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

static int erofs_failed(const struct image *img, int rc, struct err *e)
{
	if (rc == -EFBIG)
		return err_set(e, rc,
			       "rootfs.erofs of %s: the tree is too large for EROFS",
			       img->name);
	if (rc == -EBADMSG)
		return err_set(e, rc,
			       "rootfs.erofs of %s: the index of a layer is damaged",
			       img->name);
	return err_set(e, rc, "rootfs.erofs of %s: %s", img->name, strerror(-rc));
}

int erofs_file_make(struct context *c, const struct image *img, struct merge *m,
		    uint64_t n_entries, struct erofs_image **out, struct err *e)
{
	uint8_t uuid[EROFS_UUID_SIZE];
	struct merged_tree t;
	int rc = merged_tree_init(&t, m);

	if (rc < 0)
		return erofs_failed(img, rc, e);
	make_uuid(img, uuid);
	rc = store_make_room(c->store, n_entries * BYTES_EACH);
	if (rc == 0)
		rc = make_in(c, &t.tree, uuid, false, out);
	if (may_fit_memory(rc))
		rc = make_in(c, &t.tree, uuid, true, out);
	if (rc < 0)
		return erofs_failed(img, rc, e);
	if (erofs_image_dropped(*out))
		log_warn(c->log,
			 "rootfs.erofs of %s lacks %u extended attributes that EROFS "
			 "cannot express",
			 img->name, erofs_image_dropped(*out));
	return 0;
}
