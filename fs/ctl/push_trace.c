/* SPDX-License-Identifier: MIT */
/*
 * The mount says what it has read in its status, and which image that is. The image is resolved
 * again here, because the mount has no right to push, and it must still be the same.
 */
#include "fs/ctl/push_trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/mount_file.h"
#include "fs/ctl/reader.h"
#include "fs/ctl/words.h"
#include "fs/image/status.h"
#include "registry/image_source.h"
#include "tar/layer_trace.h"

static const char *get_text(const struct json *j, const char *key)
{
	const char *s = json_member_string(j, key);

	return s ? s : "";
}

/* Adds the range [first, last], unless there are enough bytes. */
static int add_range(struct trace *t, size_t layer, const struct json *range,
		     uint64_t *left)
{
	int64_t first, last;

	if (!json_int(json_item(range, 0), &first) ||
	    !json_int(json_item(range, 1), &last) || first < 0 || last < first ||
	    last == INT64_MAX)
		return -EBADMSG;
	if ((uint64_t)(last - first) >= *left)
		return 0;
	*left -= (uint64_t)(last - first) + 1;
	return trace_add(t, (uint32_t)layer, (uint64_t)first, (uint64_t)last + 1);
}

/* An image may have a layer twice; then the mount says the same of both. */
static bool is_first(const struct json *layers, size_t i)
{
	const char *digest = get_text(json_item(layers, i), "digest");
	size_t k;

	for (k = 0; k < i; k++) {
		if (strcmp(get_text(json_item(layers, k), "digest"), digest) == 0)
			return false;
	}
	return true;
}

/* What the status says of the layers. -E2BIG: there are enough ranges. */
static int collect(const struct json *status, struct trace *t)
{
	const struct json *layers = json_member(status, "layers"), *reads;
	uint64_t left = PREFETCH_MAX;
	size_t i, k;
	int rc = 0;

	for (i = 0; i < json_count(layers) && i < IMAGE_LAYERS_MAX; i++) {
		reads = json_member(json_item(layers, i), "reads");
		for (k = 0; k < json_count(reads) && rc == 0 && is_first(layers, i); k++)
			rc = add_range(t, i, json_item(reads, k), &left);
	}
	return rc == -E2BIG ? 0 : rc;
}

static int check_image(const struct image *img, const struct json *status, struct err *e)
{
	char text[DIGEST_TEXT_MAX];

	digest_format(&img->manifest_descriptor.digest, text);
	if (strcmp(text, get_text(status, "manifest")) == 0)
		return image_must_have_files(img, e);
	return err_set(e, -ESTALE, "%s is %s now, but %s is mounted; mount it again",
		       img->name, text, get_text(status, "manifest"));
}

static void report(const struct push_report *r, const struct trace *t, bool dry_run)
{
	const char *what = dry_run ? "would push" : r->sent ? "pushed" : "is there";
	char text[DIGEST_TEXT_MAX];

	ctl_print("%s  %s: %zu range%s, %.1f MiB", digest_format(&r->artifact, text),
		  what, t->n, t->n == 1 ? "" : "s", (double)trace_bytes(t) / (1 << 20));
}

/* Pushes @t for the image that @status is of. The exit status. */
static int push_for(const struct words *w, const struct json *status,
		    const struct trace *t, bool dry_run)
{
	const char *platform = get_text(status, "platform");
	char options[PLATFORM_TEXT_MAX + sizeof("index=none,platform=")];
	struct push_report done;
	struct err e = {""};
	struct words more;
	struct reader r;
	int rc;

	snprintf(options, sizeof(options), "index=none%s%s",
		 platform[0] && platform[0] != '/' ? ",platform=" : "",
		 platform[0] != '/' ? platform : "");
	if (words_add(w, options, &more) < 0)
		return ctl_error("out of memory");
	rc = reader_open(&r, &more, get_text(status, "image"), &e);
	if (rc == 0)
		rc = check_image(r.mount.images.first->image, status, &e);
	if (rc == 0)
		rc = image_source_push_trace(r.mount.images.first->image_source,
					     r.mount.images.first->image, t, dry_run,
					     &done, &e);
	if (rc == 0)
		report(&done, t, dry_run);
	reader_close(&r);
	words_release_added(&more);
	return rc < 0 ? ctl_error("%s", e.text[0] ? e.text : strerror(-rc)) : 0;
}

static int push_status(const struct words *w, const struct json *status, bool dry_run)
{
	const char *where = w->operands[0];
	struct trace t = {.list = NULL};
	int result = 0, rc;

	if (!get_text(status, "image")[0])
		return ctl_error("%s is a registry; expected the directory of one of its "
				 "images",
				 where);
	rc = collect(status, &t);
	if (rc < 0)
		result = ctl_error("%s: its status: %s", where, strerror(-rc));
	else if (t.n == 0)
		ctl_print("%s: nothing was read yet", where);
	else
		result = push_for(w, status, &t, dry_run);
	trace_release(&t);
	return result;
}

int push_trace(const struct words *w, bool dry_run)
{
	const char *where = w->operands[0];
	struct json *status = NULL;
	struct buf text;
	int result, rc;

	buf_init(&text, STATUS_MAX);
	rc = mount_file_status(where, MOUNT_FILE_MS, &text, &status);
	if (rc < 0)
		result = ctl_error("%s: %s", where, mount_file_explain(rc));
	else
		result = push_status(w, status, dry_run);
	json_free(status);
	buf_release(&text);
	return result;
}
