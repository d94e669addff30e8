/* SPDX-License-Identifier: MIT */
/*
 * peelctl which: the layer a file comes from, the build step that made it, its digest.
 *
 * The mount is asked for no more than its status: the layers' indexes are in the store,
 * and merging them here gives what the mount shows.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "base/store/slot.h"
#include "base/mountinfo.h"
#include "base/store/store.h"
#include "fs/ctl/ctl.h"
#include "fs/tree/merge.h"
#include "fs/tree/node.h"
#include "fs/image/status.h"
#include "registry/image/image.h"
#include "tar/index/index.h"

/* The image of one mount, as far as it takes to say where a file is from. */
struct origin_of {
	char mountpoint[PATH_MAX];
	struct buf status_text, config_text;
	struct json *status, *config;
	struct store *store;
	struct tree_layer *layers;
	size_t n;
	struct merge *merge;
};

static void release(struct origin_of *o)
{
	size_t i;

	merge_free(o->merge);
	for (i = 0; i < o->n; i++)
		index_close((struct index *)(uintptr_t)o->layers[i].index);
	free(o->layers);
	store_close(o->store);
	json_free(o->status);
	json_free(o->config);
	buf_release(&o->status_text);
	buf_release(&o->config_text);
}

static const char *layer_text(const struct origin_of *o, size_t i)
{
	const char *text;

	text = json_member_string(json_item(json_member(o->status, "layers"), i),
				  "digest");
	return text ? text : "";
}

static int open_layer(struct origin_of *o, size_t i)
{
	struct index *ix = NULL;
	struct slot *slot = NULL;
	struct digest digest;
	struct err e = {""};
	int rc;

	rc = digest_parse(layer_text(o, i), strlen(layer_text(o, i)), &digest);
	if (rc == 0)
		rc = slot_open(o->store, &digest, &slot);
	if (rc == 0)
		rc = slot_open_index(slot);
	if (rc >= 0)
		rc = index_open(rc, &digest, &ix, &e);
	slot_close(slot);
	if (rc < 0) {
		fprintf(stderr,
			"peelctl: layer %s: its index cannot be had from the cache: %s\n",
			layer_text(o, i), e.text[0] ? e.text : strerror(-rc));
		return rc;
	}
	o->layers[i] = (struct tree_layer){
		.index = ix,
		.mount_number = (uint32_t)i,
		.seed = node_seed(&digest),
	};
	o->n = i + 1;
	return 0;
}

static int open_layers(struct origin_of *o)
{
	size_t i, n = json_count(json_member(o->status, "layers"));
	const char *dir = json_member_string(o->status, "store");
	struct err e = {""};
	int rc;

	if (!dir || !dir[0]) {
		fprintf(stderr, "peelctl: %s keeps nothing in a cache to look at\n",
			o->mountpoint);
		return -ENOENT;
	}
	rc = store_open(dir, &o->store, &e);
	if (rc < 0) {
		fprintf(stderr, "peelctl: %s\n", e.text);
		return rc;
	}
	o->layers = calloc(n + 1, sizeof(*o->layers));
	if (!o->layers)
		return -ENOMEM;
	for (i = 0; rc == 0 && i < n; i++)
		rc = open_layer(o, i);
	if (rc < 0)
		return rc; /* and it was said why */
	rc = merge_new(o->layers, n, 0, &o->merge);
	if (rc < 0)
		fprintf(stderr, "peelctl: the layers of %s cannot be merged: %s\n",
			o->mountpoint, strerror(-rc));
	return rc;
}

/*
 * The path with all but its last part followed, for the file itself may be a symlink; with
 * "x/", ".", "..", all of it.
 */
static int absolute(const char *path, char *out)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *parent, real[PATH_MAX];
	int rc = 0;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return realpath(path, out) ? 0 : -errno;
	parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (!parent)
		return -ENOMEM;
	if (!realpath(parent, real))
		rc = -errno;
	else if (snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") ? real : "", name) >=
		 PATH_MAX)
		rc = -ENAMETOOLONG;
	free(parent);
	return rc;
}

/* What of @path is below @top, with its slash, or "": NULL if it is elsewhere. */
static const char *below(const char *path, const char *top)
{
	size_t len = strcmp(top, "/") ? strlen(top) : 0;

	if (strncmp(path, top, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

/* A path, and where it is in the file system: the innermost mount that has it tells. */
struct find {
	const char *path;
	dev_t device;
	size_t longest;
	bool is_found;
	char inside[PATH_MAX];
};

static int try_mount(void *arg, const struct mountinfo *m)
{
	struct find *f = arg;
	const char *rest = below(f->path, m->mountpoint);

	if (m->device != f->device || !rest || strlen(m->mountpoint) < f->longest)
		return 0;
	f->longest = strlen(m->mountpoint);
	f->is_found = true;
	if (snprintf(f->inside, PATH_MAX, "%s%s", strcmp(m->root, "/") ? m->root : "",
		     rest) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/* Where all of the file system is mounted, and not a part. */
struct top {
	dev_t device;
	char *mountpoint;
};

static int try_top(void *arg, const struct mountinfo *m)
{
	struct top *t = arg;

	if (m->device == t->device && strcmp(m->root, "/") == 0 &&
	    strlen(m->mountpoint) < PATH_MAX)
		strcpy(t->mountpoint, m->mountpoint);
	return 0;
}

/* The path inside the mount to @f, a mount point of all of it to @mountpoint. */
static int find_mount(const char *path, struct find *f, char *mountpoint)
{
	struct top top = {.mountpoint = mountpoint};
	struct stat st;
	int rc;

	f->path = path;
	if (lstat(path, &st) < 0)
		return -errno;
	f->device = top.device = st.st_dev;
	rc = mountinfo_each(try_mount, f);
	if (rc == 0 && !f->is_found)
		rc = -EXDEV;
	return rc < 0 ? rc : mountinfo_each(try_top, &top);
}

/* The build step whose layer this is (image-spec config.md, "history"). */
static const char *step_of(const struct origin_of *o, uint32_t layer)
{
	const struct json *history = json_member(o->config, "history"), *step;
	const char *text = NULL;
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < json_count(history); i++) {
		step = json_item(history, i);
		if (json_is_true(json_member(step, "empty_layer")))
			continue;
		if (n++ == layer)
			text = json_member_string(step, "created_by");
	}
	/* A history that does not fit the layers says nothing about any of them. */
	return n == o->n ? text : NULL;
}

/* On one line, and nothing that a terminal obeys: it is the image's own word. */
static void print_step(const char *step)
{
	printf("  step     ");
	for (; *step; step++)
		putchar((unsigned char)*step < ' ' || *step == 0x7f ? '?' : *step);
	putchar('\n');
}

static void print(const struct origin_of *o, const char *path, const struct attributes *s)
{
	const char *step = step_of(o, s->layer);
	struct digest content = {.alg = DIGEST_SHA256};
	char text[DIGEST_TEXT_MAX];

	printf("%s\n", path);
	if (!s->is_described) {
		printf("  layer    none has an entry for this directory\n");
		return;
	}
	printf("  layer    %u of %zu, %s\n", s->layer + 1, o->n, layer_text(o, s->layer));
	if (step)
		print_step(step);
	if (s->entry.digest) {
		memcpy(content.bytes, s->entry.digest, 32);
		printf("  content  %s\n", digest_format(&content, text));
	}
}

/* @path is relative to the root of the merged tree. */
static int find_shown(struct origin_of *o, const char *path, struct attributes *out)
{
	struct merged_dir *dir = NULL, *next;
	int rc = merge_root(o->merge, &dir);

	if (rc == 0)
		rc = merge_describe(o->merge, dir, out);
	while (rc == 0 && *path) {
		size_t len = strcspn(path, "/");

		if (len > 0) {
			next = NULL;
			rc = dir ? merge_lookup(o->merge, dir, path, len, out) : -ENOTDIR;
			merged_dir_unref(dir);
			dir = NULL;
			if (rc == 0 && out->is_dir) {
				struct node node;

				node_unpack(out->node, &node);
				rc = merge_dir(o->merge,
					       (struct place){node.layer, node.entry},
					       &next);
			}
			dir = rc == 0 ? next : NULL;
		}
		path += len + (path[len] == '/');
	}
	merged_dir_unref(dir);
	return rc;
}

static int say(const char *path, const char *why)
{
	fprintf(stderr, "peelctl: %s: %s\n", path, why);
	return -EINVAL;
}

/* The documents of the image at o->mountpoint. */
static int read_image(struct origin_of *o)
{
	int rc;

	buf_clear(&o->status_text);
	rc = ctl_read_json(o->mountpoint, ".peelfs/status.json", &o->status_text,
			   &o->status);
	if (rc == 0)
		rc = ctl_read_json(o->mountpoint, "config.json", &o->config_text,
				   &o->config);
	return rc;
}

/*
 * A mount has many images: at its top, below platforms/, in a namespace. That of @inside is
 * at the first "rootfs" on the way that has a status beside it. What is below that to
 * *rest, NULL if there is none; the image's own top is o->mountpoint then.
 */
static int find_image(struct origin_of *o, const char *inside, const char **rest)
{
	size_t len = strcmp(o->mountpoint, "/") ? strlen(o->mountpoint) : 0;
	const char *p = inside;
	int rc;

	*rest = NULL;
	for (; (p = strstr(p, "/rootfs")); p++) {
		if (p[7] && p[7] != '/')
			continue;
		if (len + (size_t)(p - inside) >= PATH_MAX)
			return -ENAMETOOLONG;
		sprintf(o->mountpoint + len, "%.*s", (int)(p - inside), inside);
		rc = read_image(o);
		if (rc != -ENOENT && rc != -ENOTDIR) {
			*rest = p + 7;
			return rc;
		}
	}
	return 0;
}

static int which(const char *path)
{
	struct origin_of o = {.mountpoint = ""};
	struct find find = {0};
	struct attributes shown;
	char full[PATH_MAX];
	const char *rest;
	int rc = absolute(path, full);

	if (rc == 0)
		rc = find_mount(full, &find, o.mountpoint);
	if (rc < 0)
		return say(path, rc == -EXDEV ? "not in a peelfs mount" : strerror(-rc));
	if (!o.mountpoint[0])
		return say(path, "only a part of its mount is seen from here, "
				 "without the status");
	buf_init(&o.status_text, STATUS_MAX);
	buf_init(&o.config_text, DOCUMENT_MAX);
	rc = find_image(&o, find.inside, &rest);
	if (rc < 0)
		say(o.mountpoint, ctl_unread(rc));
	else if (!rest)
		rc = say(path, "not below rootfs/, or in a mount with layout=rootfs");
	if (rc == 0)
		rc = open_layers(&o);
	if (rc == 0) {
		rc = find_shown(&o, rest, &shown);
		if (rc < 0)
			say(path, strerror(-rc));
		else
			print(&o, path, &shown);
	}
	release(&o);
	return rc;
}

int ctl_which(char **words)
{
	int status = 0;

	if (!words[0])
		return ctl_usage("which: of what path?");
	for (; *words; words++) {
		if (which(*words) < 0)
			status = 1;
	}
	return status;
}
