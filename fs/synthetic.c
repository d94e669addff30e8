/* SPDX-License-Identifier: MIT */
/*
 * Documents of the image never change and are cached by the kernel like any file.
 * The status does change. Since the kernel opens files without asking, it cannot be
 * told to read this one anew; so each lookup of its name takes a snapshot and gives
 * a new node, whose size and bytes then stay. Only the last few are kept.
 */
#include "fs/synthetic.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/mount.h"
#include "fs/status.h"
#include "fs/views.h"

static bool has_index(const struct image *img)
{
	return img->has_index;
}

static const struct buf *config_of(const struct image *img)
{
	return &img->config;
}

static const struct buf *manifest_of(const struct image *img)
{
	return &img->manifest;
}

static const struct buf *index_of(const struct image *img)
{
	return &img->index;
}

static const struct row {
	const char *name;
	enum synthetic_row parent;
	bool is_dir;
	bool is_live;				 /* a snapshot for each lookup */
	bool (*exists)(const struct image *img); /* NULL: always */
	const struct buf *(*document)(const struct image *img);
} rows[N_ROWS] = {
	[ROW_TOP] = {"", ROW_TOP, true, false, NULL, NULL},
	[ROW_ROOTFS] = {"rootfs", ROW_TOP, true, false, NULL, NULL},
	[ROW_CONFIG] = {"config.json", ROW_TOP, false, false, NULL, config_of},
	[ROW_MANIFEST] = {"manifest.json", ROW_TOP, false, false, NULL, manifest_of},
	[ROW_INDEX] = {"index.json", ROW_TOP, false, false, has_index, index_of},
	[ROW_PEELFS] = {".peelfs", ROW_TOP, true, false, NULL, NULL},
	[ROW_STATUS] = {"status.json", ROW_PEELFS, false, true, NULL, NULL},
};

/* Takes a snapshot; its number. */
static int take_snapshot(struct mount *m, uint32_t *number)
{
	struct snapshot *s;
	struct buf text;
	int r;

	buf_init(&text, STATUS_MAX);
	r = status_render(m, &text);
	if (r < 0) {
		buf_release(&text);
		return r;
	}
	pthread_mutex_lock(&m->snapshot_lock);
	*number = ++m->n_snapshots;
	s = &m->snapshots[*number % N_SNAPSHOTS];
	free(s->text);
	s->number = *number;
	s->len = text.len;
	s->text = buf_take(&text);
	pthread_mutex_unlock(&m->snapshot_lock);
	return 0;
}

/* Copies from a snapshot; its length in *len if not NULL. */
static ssize_t read_snapshot(struct mount *m, uint32_t number, void *buf, size_t size,
			     uint64_t off, size_t *len)
{
	const struct snapshot *s = &m->snapshots[number % N_SNAPSHOTS];
	ssize_t r = -ESTALE;

	pthread_mutex_lock(&m->snapshot_lock);
	if (s->number == number && s->text) {
		if (off >= s->len)
			size = 0;
		else if (size > s->len - off)
			size = (size_t)(s->len - off);
		if (size > 0)
			memcpy(buf, s->text + off, size);
		if (len)
			*len = s->len;
		r = (ssize_t)size;
	}
	pthread_mutex_unlock(&m->snapshot_lock);
	return r;
}

static uint64_t row_ino(const struct mount *m, uint32_t row)
{
	uint64_t seed = node_seed(&m->view.image->manifest_descriptor.digest);

	return node_ino_end(node_ino_add(node_ino_add(0, seed, 0), seed, row));
}

int synthetic_describe(struct mount *m, const struct node *n, struct item *out)
{
	const struct image *img = m->view.image;
	const struct row *row;
	struct stat *st = &out->attr;
	size_t len = 0;
	ssize_t r;

	if (n->layer >= N_ROWS || n->image != 0)
		return -ESTALE;
	row = &rows[n->layer];
	memset(out, 0, sizeof(*out));
	out->node = n->entry ? node_pack(n) : 0;
	out->is_live = row->is_live;
	st->st_ino = row_ino(m, n->layer);
	st->st_mode = row->is_dir ? S_IFDIR | 0555 : S_IFREG | 0444;
	st->st_nlink = 1;
	st->st_uid = m->uid;
	st->st_gid = m->gid;
	st->st_mtim.tv_sec = img->has_created ? img->created : 0;
	if (row->is_live) {
		r = n->entry ? read_snapshot(m, n->entry, NULL, 0, 0, &len) : 0;
		if (r < 0)
			return (int)r;
		clock_gettime(CLOCK_REALTIME, &st->st_mtim);
	} else if (row->document) {
		len = row->document(img)->len;
	}
	st->st_atim = st->st_ctim = st->st_mtim;
	st->st_size = (off_t)len;
	st->st_blocks = (blkcnt_t)((len + 511) / 512);
	return 0;
}

int synthetic_find(struct mount *m, const struct node *dir, const char *name,
		   struct node *out)
{
	const char *here;
	int row = -1;

	while ((here = synthetic_next(m, dir, &row, out))) {
		if (strcmp(here, name) == 0)
			return rows[row].is_live ? take_snapshot(m, &out->entry) : 0;
	}
	return -ENOENT;
}

const char *synthetic_next(struct mount *m, const struct node *dir, int *row,
			   struct node *out)
{
	while (++*row < N_ROWS) {
		const struct row *r = &rows[*row];

		if (r->parent != dir->layer || *row == ROW_TOP ||
		    (r->exists && !r->exists(m->view.image)))
			continue;
		*out = *dir;
		out->layer = (uint32_t)*row;
		out->entry = r->is_live ? 0 : 1;
		return r->name;
	}
	return NULL;
}

void synthetic_parent(const struct node *n, struct node *out)
{
	*out = *n;
	out->layer = n->layer < N_ROWS ? (uint32_t)rows[n->layer].parent : ROW_TOP;
	out->entry = 1;
}

ssize_t synthetic_read(struct mount *m, const struct node *n, void *buf, size_t size,
		       uint64_t off)
{
	const struct row *row = n->layer < N_ROWS ? &rows[n->layer] : NULL;
	const struct buf *doc;

	if (!row || row->is_dir)
		return -EISDIR;
	if (row->is_live)
		return read_snapshot(m, n->entry, buf, size, off, NULL);
	doc = row->document(m->view.image);
	if (off >= doc->len)
		return 0;
	if (size > doc->len - off)
		size = (size_t)(doc->len - off);
	memcpy(buf, doc->data + off, size);
	return (ssize_t)size;
}
