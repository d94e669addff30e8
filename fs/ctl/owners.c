/* SPDX-License-Identifier: MIT */
#include "fs/ctl/owners.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/store/documents.h"
#include "fs/image/image_note.h"
#include "registry/image/image.h"

struct owner {
	char *name;
	struct digest manifest;
	struct digest *layers;
	size_t n;
};

struct owners {
	struct store *store;
	struct owner *list; /* by name */
	size_t n;
};

/* A manifest that is gone, or damaged, has no layers. */
static int read_layers(struct store *s, struct owner *o)
{
	const struct json *list;
	struct json *j = NULL;
	struct buf text;
	size_t i;
	int rc;

	buf_init(&text, DOCUMENT_MAX);
	rc = store_get_document(s, &o->manifest, DOCUMENT_MAX, &text);
	if (rc == 0)
		rc = json_parse(text.data, text.len, &j, NULL);
	list = json_member(j, "layers");
	if (json_count(list) <= IMAGE_LAYERS_MAX)
		o->layers = calloc(json_count(list) + 1, sizeof(*o->layers));
	for (i = 0; o->layers && i < json_count(list); i++) {
		const char *digest = json_member_string(json_item(list, i), "digest");

		if (digest && digest_parse(digest, strlen(digest), &o->layers[o->n]) == 0)
			o->n++;
	}
	json_free(j);
	buf_release(&text);
	return rc == -ENOMEM ? rc : 0;
}

static int add_owner(void *arg, const char *text)
{
	struct owners *os = arg;
	struct owner o = {.name = NULL};
	const char *name;
	int rc;

	if (!image_note_parse(text, &o.manifest, &name))
		return 0;
	rc = array_grow(&os->list, os->n, sizeof(o));
	if (rc < 0)
		return rc;
	o.name = strdup(name);
	if (!o.name)
		return -ENOMEM;
	rc = read_layers(os->store, &o);
	os->list[os->n++] = o;
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct owner *)a)->name, ((const struct owner *)b)->name);
}

int owners_new(struct store *s, struct owners **out)
{
	struct owners *os = calloc(1, sizeof(*os));
	int rc;

	if (!os)
		return -ENOMEM;
	os->store = s;
	rc = store_each_note(s, add_owner, os);
	if (rc < 0) {
		owners_free(os);
		return rc;
	}
	if (os->n > 0)
		qsort(os->list, os->n, sizeof(*os->list), by_name);
	*out = os;
	return 0;
}

void owners_free(struct owners *os)
{
	size_t i;

	if (!os)
		return;
	for (i = 0; i < os->n; i++) {
		free(os->list[i].name);
		free(os->list[i].layers);
	}
	free(os->list);
	free(os);
}

static bool has_layer(const struct owner *o, const struct digest *layer)
{
	size_t i;

	for (i = 0; i < o->n; i++) {
		if (digest_equal(&o->layers[i], layer))
			return true;
	}
	return false;
}

void owners_each(const struct owners *os, const struct digest *layer,
		 void (*fn)(void *arg, const char *name, const struct digest *manifest),
		 void *arg)
{
	size_t i;

	for (i = 0; i < os->n; i++) {
		if (has_layer(&os->list[i], layer))
			fn(arg, os->list[i].name, &os->list[i].manifest);
	}
}
