/* SPDX-License-Identifier: MIT */
#include "registry/remote/name_page.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "registry/image/reference.h"

struct name_page {
	enum name_page_kind kind;
	struct json_stream *json;
	size_t fed;
	bool is_next;  /* the next value is the list */
	bool in_list;  /* the list is open */
	bool has_list; /* or null, which some registries send for an empty list */
	struct buf text;
	size_t count, said;
};

static const char *key_of(enum name_page_kind kind)
{
	return kind == NAMES_TAGS ? "tags" : "repositories";
}

static bool is_name(enum name_page_kind kind, const char *text, size_t len)
{
	return kind == NAMES_TAGS
		       ? reference_is_tag(text, len)
		       : len <= REFERENCE_PATH_MAX && reference_is_path(text, len);
}

static int name_page_add(struct name_page *n, const struct json_event *ev)
{
	int rc;

	n->said++;
	if (ev->kind != JSON_EVENT_VALUE || ev->type != JSON_STRING ||
	    !is_name(n->kind, ev->text, ev->len))
		return 0; /* real registries send null elements and digests */
	rc = buf_append(&n->text, ev->text, ev->len);
	if (rc == 0)
		rc = buf_append(&n->text, "", 1);
	n->count += rc == 0;
	return rc;
}

static int name_page_on_event(void *arg, const struct json_event *ev)
{
	struct name_page *n = arg;
	const char *key = key_of(n->kind);
	bool is_list = n->is_next;

	n->is_next = false;
	if (n->in_list && ev->kind == JSON_EVENT_CLOSE && ev->depth == 1)
		n->in_list = false;
	else if (n->in_list && ev->depth == 2 && ev->kind != JSON_EVENT_CLOSE)
		return name_page_add(n, ev);
	else if (ev->kind == JSON_EVENT_KEY && ev->depth == 1)
		n->is_next = ev->len == strlen(key) &&
			     memcmp(ev->text, key, ev->len) == 0;
	else if (is_list && ev->kind == JSON_EVENT_OPEN && ev->type == JSON_ARRAY)
		n->in_list = n->has_list = true;
	else if (is_list && ev->kind == JSON_EVENT_VALUE && ev->type == JSON_NULL)
		n->has_list = true;
	return 0;
}

int name_page_new(enum name_page_kind kind, struct name_page **out)
{
	struct name_page *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return -ENOMEM;
	n->kind = kind;
	buf_init(&n->text, NAME_PAGE_MAX);
	rc = json_stream_new(name_page_on_event, n, &n->json);
	if (rc < 0)
		name_page_free(n);
	else
		*out = n;
	return rc;
}

void name_page_free(struct name_page *n)
{
	if (!n)
		return;
	json_stream_free(n->json);
	buf_release(&n->text);
	free(n);
}

int name_page_feed(struct name_page *n, const void *data, size_t len, struct err *e)
{
	int rc;

	if (len > NAME_PAGE_MAX - n->fed)
		return err_set(e, -E2BIG,
			       "a page of a list is longer than the limit of %u bytes",
			       NAME_PAGE_MAX);
	n->fed += len;
	rc = json_stream_feed(n->json, data, len, e);
	return rc == -ENOMEM ? err_set(e, rc, "out of memory") : rc;
}

const char *name_page_finish(struct name_page *n, size_t *count, size_t *said,
			     struct err *e)
{
	if (json_stream_finish(n->json, e) < 0)
		return NULL;
	if (!n->has_list) {
		err_set(e, -EBADMSG, "the registry's answer holds no list of %s",
			key_of(n->kind));
		return NULL;
	}
	*count = n->count;
	*said = n->said;
	return buf_text(&n->text);
}
