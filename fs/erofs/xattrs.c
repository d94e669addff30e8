/* SPDX-License-Identifier: MIT */
#include "fs/erofs/xattrs.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "fs/erofs/format.h"
#include "fs/erofs/tree.h"

static const struct prefix {
	const char *text;
	uint8_t number;
	bool is_whole; /* the name is nothing else */
} prefixes[] = {
	{"user.", 1, false},
	{"system.posix_acl_access", 2, true},
	{"system.posix_acl_default", 3, true},
	{"trusted.", 4, false},
	{"security.", 6, false},
};

/* The prefix of a name that has one. */
static const struct prefix *find_prefix(const struct xattr *x)
{
	size_t i, len;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		len = strlen(prefixes[i].text);
		if (x->name_len >= len && memcmp(x->name, prefixes[i].text, len) == 0 &&
		    (x->name_len == len) == prefixes[i].is_whole)
			return &prefixes[i];
	}
	return NULL;
}

/* One entry. -E2BIG: it has no place. */
static int add_entry(struct buf *out, const struct xattr *x)
{
	static const char zeros[EROFS_XATTR_HEAD];
	const struct prefix *p = find_prefix(x);
	size_t skip = p ? strlen(p->text) : 0, head = out->len ? 0 : EROFS_XATTR_HEAD;
	size_t len = EROFS_XATTR_ENTRY + x->name_len - skip + x->value_len,
	       pad = -len % 4;
	unsigned char entry[EROFS_XATTR_ENTRY];
	int rc;

	if (!p || x->name_len - skip > EROFS_NAME_MAX || x->value_len > UINT16_MAX ||
	    head + len + pad > out->max - out->len)
		return -E2BIG;
	entry[0] = (uint8_t)(x->name_len - skip);
	entry[1] = p->number;
	put_le16(entry + 2, (uint16_t)x->value_len);
	rc = buf_append(out, zeros, head);
	if (rc == 0)
		rc = buf_append(out, entry, sizeof(entry));
	if (rc == 0)
		rc = buf_append(out, x->name + skip, x->name_len - skip);
	if (rc == 0)
		rc = buf_append(out, x->value, x->value_len);
	return rc < 0 ? rc : buf_append(out, zeros, pad);
}

int xattrs_encode(const struct erofs_tree *tree, const struct erofs_inode *inode,
		  struct buf *out, uint32_t *dropped)
{
	uint64_t pos = 0;
	struct xattr x;
	int rc;

	buf_clear(out);
	while ((rc = tree->xattr(tree->arg, inode, &pos, &x)) > 0) {
		rc = add_entry(out, &x);
		if (rc == -E2BIG)
			++*dropped;
		else if (rc < 0)
			break;
	}
	return rc;
}

uint16_t xattrs_count(size_t bytes)
{
	return bytes ? (uint16_t)(1 + (bytes - EROFS_XATTR_HEAD) / 4) : 0;
}

size_t xattrs_bytes(uint16_t count)
{
	return count ? EROFS_XATTR_HEAD + 4 * (size_t)(count - 1) : 0;
}
