/* SPDX-License-Identifier: MIT */
/*
 * The sources of a path, strongest first: GNU.sparse.name (the path beside it is made
 * up), an L or K header, pax, the header. Go and all tools that unpack images use this
 * order.
 */
#include "tar/archive/member.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "tar/archive/entry.h"
#include "tar/archive/pax.h"

static void set_path(const struct member *m, char *joined, struct tar_entry *t)
{
	const struct header *h = m->header;
	const struct pax *p = m->pax;

	if (p->sparse_name.data && pax_is_sparse(p) && h->type != 'S') {
		t->path = p->sparse_name.data;
		t->path_len = p->sparse_name.len;
	} else if (m->long_name[0]) {
		t->path = m->long_name;
		t->path_len = strlen(m->long_name);
	} else if (p->path.data) {
		t->path = p->path.data;
		t->path_len = p->path.len;
	} else if (h->prefix_len > 0) {
		memcpy(joined, h->prefix, h->prefix_len);
		joined[h->prefix_len] = '/';
		memcpy(joined + h->prefix_len + 1, h->name, h->name_len);
		t->path = joined;
		t->path_len = h->prefix_len + 1 + h->name_len;
	} else {
		/* An entry without a name describes the directory that was archived. */
		t->path = h->name_len > 0 ? h->name : ".";
		t->path_len = h->name_len > 0 ? h->name_len : 1;
	}
}

void member_names(const struct member *m, char joined[MEMBER_PATH_MAX],
		  struct tar_entry *out)
{
	const struct header *h = m->header;

	set_path(m, joined, out);
	if (h->type != '1' && h->type != '2')
		return;
	out->is_hardlink = h->type == '1';
	if (m->long_link[0]) {
		out->link = m->long_link;
		out->link_len = strlen(m->long_link);
	} else if (m->pax->link.data) {
		out->link = m->pax->link.data;
		out->link_len = m->pax->link.len;
	} else {
		out->link = h->link;
		out->link_len = h->link_len;
	}
}

/*
 * The value from pax, else from the header, if an unsigned 32-bit field can hold it. No owner
 * is UINT32_MAX: chown(2) then leaves it as it is, so to unpackers it is root.
 */
static int take_id(const struct pax_number *from_pax, int64_t from_header,
		   const char *what, uint32_t *out, struct err *e)
{
	int64_t v = from_pax->is_set ? (int64_t)from_pax->value : from_header;

	if (v < 0 || v > UINT32_MAX)
		return err_set(e, -EBADMSG, "the %s %lld is negative or beyond 32 bits",
			       what, (long long)v);
	*out = v == UINT32_MAX ? 0 : (uint32_t)v;
	return 0;
}

/* UINT32_MAX for a number that no device has. */
static uint32_t device_number(const struct pax_number *from_pax, int64_t from_header)
{
	int64_t v = from_pax->is_set ? (int64_t)from_pax->value : from_header;

	return v < 0 || v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static int set_ids(const struct member *m, struct tar_entry *t, struct err *e)
{
	const struct header *h = m->header;
	const struct pax *p = m->pax;
	int rc = take_id(&p->uid, h->uid, "uid", &t->uid, e);

	if (rc < 0)
		return rc;
	rc = take_id(&p->gid, h->gid, "gid", &t->gid, e);
	if (rc == 0 && (h->type == '3' || h->type == '4')) {
		t->rdev_major = device_number(&p->dev_major, h->dev_major);
		t->rdev_minor = device_number(&p->dev_minor, h->dev_minor);
	}
	return rc;
}

/*
 * Before tar had a type for directories, a trailing '/' in the name marked one. Some
 * writers still add it to the type of a file. No file with content is hidden by that.
 */
static bool is_old_directory(const struct member *m, const struct tar_entry *t,
			     uint64_t size)
{
	char type = m->header->type;

	if (t->path[t->path_len - 1] != '/')
		return false;
	return type == '\0' || (type == '0' && size == 0 && !pax_is_sparse(m->pax));
}

int member_stat(const struct member *m, struct tar_entry *out, struct err *e)
{
	const struct header *h = m->header;
	const struct pax *p = m->pax;
	uint64_t size = p->size.is_set ? p->size.value : h->size;
	uint32_t type = is_old_directory(m, out, size) ? S_IFDIR : header_file_type(h);

	out->mode = type | h->mode;
	if (type == S_IFREG && header_has_content(h))
		out->size = out->stored = size;
	out->is_fragment = h->type == 'M'; /* GNU: continued from another volume */
	out->mtime = p->mtime.is_set ? p->mtime.sec : h->mtime;
	out->mtime_ns = p->mtime.is_set ? p->mtime.ns : 0;
	out->xattrs = p->xattrs;
	out->n_xattrs = p->n_xattrs;
	out->n_lost = p->n_lost;
	out->lost = p->lost;
	return set_ids(m, out, e);
}
