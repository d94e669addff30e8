/* SPDX-License-Identifier: MIT */
#include "fs/node/xattrs.h"

#include <errno.h>
#include <string.h>

#include "fs/image/layers.h"
#include "fs/node/located.h"
#include "tar/layer.h"

/* Overlayfs keeps its state in these; those of a layer below it would mislead it. */
static bool is_shown_xattr(const struct xattr *x)
{
	static const char *const hidden[] = {"trusted.overlay.", "user.overlay."};
	size_t i;

	for (i = 0; i < 2; i++) {
		size_t len = strlen(hidden[i]);

		if (x->name_len >= len && memcmp(x->name, hidden[i], len) == 0)
			return false;
	}
	return true;
}

/*
 * `ls -l` asks for these of every file, and the kernel does not cache the answer. But it
 * remembers -EOPNOTSUPP for labels and asks no more.
 */
static int no_xattr(const char *name)
{
	return strcmp(name, "security.selinux") == 0 ? -EOPNOTSUPP : -ENODATA;
}

ssize_t xattrs_get(const struct nodes *n, const struct xattr_run *run, const char *name,
		   void *buf, size_t size)
{
	uint64_t pos = run->pos;
	struct xattr x;
	int rc;

	while (pos != 0) {
		rc = index_xattr(layer_index(run->layer->layer), &pos, &x);
		if (rc < 0)
			return located_index_failed(n, run->layer, rc);
		if (x.name_len != strlen(name) || memcmp(x.name, name, x.name_len) != 0 ||
		    !is_shown_xattr(&x))
			continue;
		if (size == 0)
			return (ssize_t)x.value_len;
		if (x.value_len > size)
			return -ERANGE;
		memcpy(buf, x.value, x.value_len);
		return (ssize_t)x.value_len;
	}
	return no_xattr(name);
}

ssize_t xattrs_list(const struct nodes *n, const struct xattr_run *run, char *buf,
		    size_t size)
{
	uint64_t pos = run->pos;
	struct xattr x;
	size_t len = 0;
	int rc;

	while (pos != 0) {
		rc = index_xattr(layer_index(run->layer->layer), &pos, &x);
		if (rc < 0)
			return located_index_failed(n, run->layer, rc);
		if (!is_shown_xattr(&x))
			continue;
		if (size > 0) {
			if (x.name_len + 1 > size - len)
				return -ERANGE;
			memcpy(buf + len, x.name, x.name_len);
			buf[len + x.name_len] = '\0';
		}
		len += x.name_len + 1;
	}
	return (ssize_t)len;
}
