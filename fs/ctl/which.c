/* SPDX-License-Identifier: MIT */
/*
 * Only the mount's documents are read: the layers' indexes are in the store, and merging them
 * here gives what the mount shows.
 */
#include "fs/ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mountinfo.h"
#include "base/store/lower.h"
#include "base/store/lower_slot.h"
#include "base/store/store.h"
#include "fs/ctl/mount_file.h"
#include "fs/image/status.h"
#include "fs/tree/merge.h"
#include "fs/tree/node.h"
#include "registry/image/image.h"
#include "tar/index/index.h"

/* THE MOUNT OF A PATH */

/*
 * The absolute path and the device of a file. A symlink is not followed if it is the file
 * itself; in "x/", the last is.
 */
static int make_absolute(const char *path, char *out, dev_t *device)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[sizeof("/proc/self/fd/") + 12];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = fstat(fd, &st) < 0 ? -1 : readlink(link, out, PATH_MAX);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0 || n == PATH_MAX)
		return n < 0 ? (int)n : -ENAMETOOLONG;
	out[n] = '\0';
	*device = st.st_dev;
	return 0;
}

/* The part of @path below @top, with its slash, or ""; NULL if it is elsewhere. */
static const char *find_below(const char *path, const char *top)
{
	size_t len = strcmp(top, "/") ? strlen(top) : 0;

	if (strncmp(path, top, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

struct search {
	const char *path;
	dev_t device;
	size_t longest;
	bool is_found;
	char *inside;
	char *mountpoint;
};

/* The innermost mount that has the path decides where it is in the file system. */
static int match_path(void *arg, const struct mountinfo *m)
{
	struct search *s = arg;
	const char *rest = find_below(s->path, m->mountpoint);

	if (m->device != s->device || !rest || strlen(m->mountpoint) < s->longest)
		return 0;
	s->longest = strlen(m->mountpoint);
	s->is_found = true;
	/* An EROFS is rootfs/ of an image. */
	if (snprintf(s->inside, PATH_MAX, "%s%s%s", m->is_erofs ? "/rootfs" : "",
		     strcmp(m->root, "/") == 0 ? "" : m->root, rest) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/* Where the whole file system is mounted, not a part of it. */
static int match_whole(void *arg, const struct mountinfo *m)
{
	struct search *s = arg;

	if (m->device == s->device && strcmp(m->root, "/") == 0 &&
	    strlen(m->mountpoint) < PATH_MAX)
		strcpy(s->mountpoint, m->mountpoint);
	return 0;
}

/*
 * Finds the mount of peelfs that has @path, and gives a mount point of the whole file system
 * and the path inside it, each in PATH_MAX bytes. @mountpoint is "" if only a part of the
 * file system is visible. 0, -EXDEV if the path is in no mount of peelfs, or another
 * negative errno.
 */
static int find_mount(const char *path, char *mountpoint, char *inside)
{
	char full[PATH_MAX];
	struct search s = {.path = full, .inside = inside, .mountpoint = mountpoint};
	int rc = make_absolute(path, full, &s.device);

	if (rc < 0)
		return rc;
	mountpoint[0] = '\0';
	rc = mountinfo_each(match_path, &s);
	if (rc == 0 && !s.is_found)
		rc = -EXDEV;
	return rc < 0 ? rc : mountinfo_each(match_whole, &s);
}

/* AN IMAGE OF A MOUNT */

/* One image of a mount. */
struct mounted_image {
	char top[PATH_MAX]; /* its directory, which has rootfs/ */
	struct buf status_text, config_text;
	struct json *status, *config;
	struct store *store;
	struct tree_layer *layers;
	size_t n;
	struct merge *merge;
};

static void image_close(struct mounted_image *img)
{
	size_t i;

	merge_free(img->merge);
	for (i = 0; i < img->n; i++)
		index_close((struct index *)(uintptr_t)img->layers[i].index);
	free(img->layers);
	store_close(img->store);
	json_free(img->status);
	json_free(img->config);
	buf_release(&img->status_text);
	buf_release(&img->config_text);
}

static const char *layer_digest(const struct mounted_image *img, size_t i)
{
	const char *text;

	text = json_member_string(json_item(json_member(img->status, "layers"), i),
				  "digest");
	return text ? text : "";
}

static int open_layer(struct mounted_image *img, size_t i)
{
	struct index *ix = NULL;
	struct digest digest;
	struct err e = {""};
	int rc;

	rc = digest_parse(layer_digest(img, i), strlen(layer_digest(img, i)), &digest);
	if (rc == 0)
		rc = store_find_index(img->store, &digest);
	if (rc >= 0)
		rc = index_open(rc, &digest, &ix, &e);
	if (rc < 0)
		return -ctl_error("layer %s: cannot read its index from the store: %s",
				  layer_digest(img, i),
				  e.text[0] ? e.text : strerror(-rc));
	img->layers[i] = (struct tree_layer){
		.index = ix,
		.mount_number = (uint32_t)i,
		.seed = node_seed(&digest),
	};
	img->n = i + 1;
	return 0;
}

/* What is refused here was refused by the mount, too. */
static void add_lower_stores(struct mounted_image *img)
{
	const struct json *list = json_member(img->status, "lowerStores");
	const char *dir;
	size_t i;

	for (i = 0; i < json_count(list); i++) {
		dir = json_string(json_item(list, i));
		if (dir)
			(void)store_add_lower(img->store, dir, NULL);
	}
}

static int open_layers(struct mounted_image *img)
{
	size_t i, n = json_count(json_member(img->status, "layers"));
	const char *dir = json_member_string(img->status, "store");
	struct err e = {""};
	int rc;

	if (!dir || !dir[0])
		return -ctl_error("%s has no store that could be read", img->top);
	/* Any process can mount something that calls itself peelfs. */
	if (n > NODE_LAYERS_MAX)
		return -ctl_error("%s: too many layers", img->top);
	rc = store_open_existing(dir, &img->store, &e);
	if (rc < 0)
		return -ctl_error("%s", e.text);
	add_lower_stores(img);
	img->layers = calloc(n + 1, sizeof(*img->layers));
	if (!img->layers)
		return -ENOMEM;
	for (i = 0; rc == 0 && i < n; i++)
		rc = open_layer(img, i);
	if (rc < 0)
		return rc; /* printed already */
	rc = merge_new(img->layers, n, 0, &img->merge);
	if (rc < 0)
		ctl_error("the layers of %s cannot be merged: %s", img->top,
			  strerror(-rc));
	return rc;
}

/* The build step whose layer this is (image-spec config.md, "history"). */
static const char *find_step(const struct mounted_image *img, uint32_t layer)
{
	const struct json *history = json_member(img->config, "history"), *step;
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
	/* A history that does not fit the layers is not used for any of them. */
	return n == img->n ? text : NULL;
}

static void print_origin(const struct mounted_image *img, const char *path,
			 const struct attributes *s)
{
	struct digest content = {.alg = DIGEST_SHA256};
	char text[DIGEST_TEXT_MAX];
	const char *step;

	ctl_print("%s", path);
	if (!s->is_described) {
		ctl_print("  layer    none has an entry for this directory");
		return;
	}
	ctl_print("  layer    %u of %zu, %s", s->layer + 1, img->n,
		  layer_digest(img, s->layer));
	step = find_step(img, s->layer);
	if (step)
		ctl_print("  step     %s", step);
	if (s->entry.digest) {
		memcpy(content.bytes, s->entry.digest, 32);
		ctl_print("  content  %s", digest_format(&content, text));
	}
}

/* @path is relative to the root of the merged tree. */
static int find_attributes(struct mounted_image *img, const char *path,
			   struct attributes *out)
{
	struct merged_dir *dir = NULL, *next;
	int rc = merge_root(img->merge, &dir);

	if (rc == 0)
		rc = merge_describe(img->merge, dir, out);
	while (rc == 0 && *path) {
		size_t len = strcspn(path, "/");

		if (len > 0) {
			next = NULL;
			rc = dir ? merge_lookup(img->merge, dir, path, len, out)
				 : -ENOTDIR;
			merged_dir_unref(dir);
			dir = NULL;
			if (rc == 0 && out->is_dir) {
				struct node node;

				node_unpack(out->node, &node);
				rc = merge_dir(img->merge,
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

/* Reads the documents in img->top. */
static int read_image(struct mounted_image *img)
{
	int rc;

	buf_clear(&img->status_text);
	rc = mount_file_read(img->top, ".peelfs/status.json", MOUNT_FILE_MS,
			     &img->status_text, &img->status);
	if (rc == 0)
		rc = mount_file_read(img->top, "config.json", MOUNT_FILE_MS,
				     &img->config_text, &img->config);
	return rc;
}

/*
 * A mount has many images: at its top, below platforms/, in a namespace. The image of @inside
 * is at the first "rootfs" on the way that has a status beside it. *rest is the path below
 * that, or NULL if there is none. img->top is the mount point at first, then the image's
 * directory.
 */
static int find_image(struct mounted_image *img, const char *inside, const char **rest)
{
	size_t len = strcmp(img->top, "/") ? strlen(img->top) : 0;
	const char *p = inside;
	int rc;

	*rest = NULL;
	for (; (p = strstr(p, "/rootfs")); p++) {
		if (p[7] && p[7] != '/')
			continue;
		if (len + (size_t)(p - inside) >= PATH_MAX)
			return -ENAMETOOLONG;
		sprintf(img->top + len, "%.*s", (int)(p - inside), inside);
		rc = read_image(img);
		if (rc != -ENOENT && rc != -ENOTDIR) {
			*rest = p + 7;
			return rc;
		}
	}
	return 0;
}

static int print_file(const char *path)
{
	struct mounted_image img = {.top = ""};
	struct attributes attributes;
	char inside[PATH_MAX];
	const char *rest;
	int rc = find_mount(path, img.top, inside);

	if (rc < 0)
		return -ctl_error("%s: %s", path,
				  rc == -EXDEV ? "not in a peelfs mount" : strerror(-rc));
	if (!img.top[0])
		return -ctl_error("%s: only a part of its mount is visible here, "
				  "without the status",
				  path);
	buf_init(&img.status_text, STATUS_MAX);
	buf_init(&img.config_text, DOCUMENT_MAX);
	rc = find_image(&img, inside, &rest);
	if (rc < 0)
		ctl_error("%s: %s", img.top, mount_file_explain(rc));
	else if (!rest)
		rc = -ctl_error("%s: not below rootfs/, or in a mount with layout=rootfs",
				path);
	if (rc == 0)
		rc = open_layers(&img);
	if (rc == 0) {
		rc = find_attributes(&img, rest, &attributes);
		if (rc < 0)
			ctl_error("%s: %s", path, strerror(-rc));
		else
			print_origin(&img, path, &attributes);
	}
	image_close(&img);
	return rc;
}

static int run_which(char **words)
{
	int status = 0;

	if (!words[0])
		return ctl_usage("which: expected a path");
	for (; *words; words++) {
		if (print_file(*words) < 0)
			status = 1;
	}
	return status;
}

const struct ctl_command which_command = {
	"which",
	"which PATH...",
	"  which     print a file's layer, the build step that made it, its digest\n",
	run_which,
};
