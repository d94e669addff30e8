/* SPDX-License-Identifier: MIT */
/*
 * Cost: some thirty rounds of the hash for a file, which is 0.05 us. A listing with
 * attributes spends several microseconds on each name.
 */
#include "fs/tree/identity.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/num.h"
#include "fs/tree/node.h"

/* Keep these uses of the hash apart from all others. */
#define KEY_PATH UINT64_C(0x70617468)
#define KEY_FILE UINT64_C(0x66696c65)

/* A path has at most 4095 bytes, so it has no more components. */
#define DEPTH_MAX 2048

uint64_t identity_path(uint64_t dir, const char *name, size_t len)
{
	struct hash h;

	hash_init(&h, dir, KEY_PATH);
	hash_bytes(&h, name, len);
	return hash_end(&h);
}

int identity_parent(const struct index *ix, const struct entry *e, uint64_t *dir)
{
	uint32_t ids[DEPTH_MAX], at = e->parent;
	uint64_t path = IDENTITY_ROOT;
	struct entry above;
	size_t n = 0;

	while (at != 0) {
		if (n == DEPTH_MAX || index_entry(ix, at, &above) < 0)
			return -EBADMSG;
		ids[n++] = at;
		at = above.parent;
	}
	while (n-- > 0) {
		if (index_entry(ix, ids[n], &above) < 0)
			return -EBADMSG;
		path = identity_path(path, above.name, above.name_len);
	}
	*dir = path;
	return 0;
}

bool identity_is_digest_sure(const struct index *ix, const struct entry *e)
{
	struct span span;
	uint32_t i;

	if (!e->digest || (e->flags & ENTRY_SPARSE))
		return false;
	if (index_info(ix)->basis == BASIS_STREAM)
		return true;
	return index_span_at(ix, e->data, &i) == 0 && index_span(ix, i, &span) == 0 &&
	       span.digest_is_of_output && span.out == e->data &&
	       span.out_len == e->size &&
	       memcmp(span.digest, e->digest, sizeof(span.digest)) == 0;
}

static bool is_content_known(const struct index *ix, const struct entry *e,
			     uint32_t nlink)
{
	if (nlink != 1 || e->name_len == 0)
		return false;
	return !S_ISREG(e->mode) || e->size == 0 || identity_is_digest_sure(ix, e);
}

static int hash_xattrs(struct hash *h, const struct index *ix, const struct entry *e)
{
	uint64_t pos = e->xattrs, n = 0;
	struct xattr x;

	for (; pos != 0; n++) {
		if (index_xattr(ix, &pos, &x) < 0)
			return -EBADMSG;
		hash_bytes(h, x.name, x.name_len);
		hash_bytes(h, x.value, x.value_len);
	}
	hash_word(h, n);
	return 0;
}

/*
 * Values that the author of an image can choose freely are hashed first and the digest,
 * which cannot be chosen, last. So a collision cannot be computed, only found by trying.
 */
int identity_ino(const struct index *ix, const struct entry *e, uint32_t nlink,
		 uint64_t seed, uint64_t dir, uint64_t *ino)
{
	struct hash h;

	if (!is_content_known(ix, e, nlink)) {
		*ino = node_ino(seed, e->id);
		return 0;
	}
	hash_init(&h, dir, KEY_FILE);
	hash_bytes(&h, e->name, e->name_len);
	hash_word(&h, (uint64_t)e->mode << 32 | e->uid);
	hash_word(&h, (uint64_t)e->gid << 32 | e->mtime_ns);
	hash_word(&h, (uint64_t)e->mtime);
	hash_word(&h, e->size);
	if (hash_xattrs(&h, ix, e) < 0)
		return -EBADMSG;
	if (S_ISLNK(e->mode)) {
		hash_bytes(&h, e->link, e->link_len);
	} else if (e->digest) {
		hash_word(&h, get_le64(e->digest));
		hash_word(&h, get_le64(e->digest + 8));
	} else {
		hash_word(&h, (uint64_t)e->rdev_major << 32 | e->rdev_minor);
	}
	*ino = node_ino_end(hash_end(&h));
	return 0;
}
