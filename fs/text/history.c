/* SPDX-License-Identifier: MIT */
#include "fs/text/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/control.h"
#include "base/json.h"
#include "fs/text/facts.h"
#include "fs/text/titles.h"
#include "registry/image/image.h"

static const char *get_text(const struct json *j, const char *key)
{
	const char *text = json_member_string(j, key);

	return text ? text : "";
}

static void read_steps(struct history *h, const struct json *list, size_t n_layers)
{
	size_t i, made = 0;

	for (i = 0; i < h->n_left_out; i++)
		made += !json_is_true(json_member(json_item(list, i), "empty_layer"));
	for (i = 0; i < h->n; i++) {
		const struct json *j = json_item(list, h->n_left_out + i);
		bool is_empty = json_is_true(json_member(j, "empty_layer"));

		h->steps[i] = (struct step){
			.created = get_text(j, "created"),
			.created_by = get_text(j, "created_by"),
			.comment = get_text(j, "comment"),
			.json = j,
			.layer = is_empty ? NO_LAYER : made++,
		};
	}
	for (i = 0; made != n_layers && i < h->n; i++)
		h->steps[i].layer = NO_LAYER;
}

int history_init(struct history *h, const struct image *img)
{
	const struct json *list;
	size_t i;
	int rc;

	memset(h, 0, sizeof(*h));
	rc = json_parse(img->config.data, img->config.len, &h->config, NULL);
	if (rc < 0)
		return rc;
	list = json_member(h->config, "history");
	if (list && json_type(list) == JSON_ARRAY)
		h->n = json_count(list);
	if (h->n > STEPS_MAX) {
		h->n_left_out = h->n - STEPS_MAX;
		h->n = STEPS_MAX;
	}
	h->steps = calloc((h->n ? h->n : img->n_layers) + 1, sizeof(*h->steps));
	if (!h->steps)
		return -ENOMEM;
	if (h->n > 0) {
		read_steps(h, list, img->n_layers);
		return 0;
	}
	for (i = 0; i < img->n_layers; i++)
		h->steps[i] = (struct step){"", "", "", NULL, i};
	h->n = img->n_layers;
	return 0;
}

void history_release(struct history *h)
{
	free(h->steps);
	json_free(h->config);
}

const struct step *history_of_layer(const struct history *h, size_t i)
{
	size_t k;

	for (k = 0; k < h->n; k++) {
		if (h->steps[k].layer == i)
			return &h->steps[k];
	}
	return NULL;
}

/* AS A TABLE */

enum column {
	COL_IMAGE,
	COL_CREATED,
	COL_BY,
	COL_SIZE,
	COL_COMMENT,
	COL_LAYER,
	N_COLUMNS
};

static const char *const headings[N_COLUMNS] = {"IMAGE", "CREATED", "CREATED BY",
						"SIZE",	 "COMMENT", "LAYER"};

/* The texts of a row that are not in the config. */
struct scratch {
	char size[24];
	char layer[LAYER_TITLE_MAX];
};

static void fill_row(const struct image_facts *f, size_t i, const char *id,
		     struct scratch *s, const char **cells)
{
	const struct step *step = &f->history->steps[i];
	bool has_layer = step->layer != NO_LAYER;
	const struct layer_facts *l = NULL;

	if (has_layer && f->layers)
		l = &f->layers[step->layer];
	strcpy(s->size, has_layer ? "?" : "0");
	s->layer[0] = '\0';
	if (l && !l->error)
		snprintf(s->size, sizeof(s->size), "%" PRIu64, l->files_size);
	if (has_layer)
		title_of_layer(f->image, (uint32_t)step->layer, s->layer);
	cells[COL_IMAGE] = i + 1 == f->history->n ? id : "<missing>";
	cells[COL_CREATED] = step->created;
	cells[COL_BY] = step->created_by;
	cells[COL_SIZE] = s->size;
	cells[COL_COMMENT] = step->comment;
	cells[COL_LAYER] = s->layer;
}

/*
 * A limit to the padding of all columns together: otherwise one long text beside many short
 * ones makes a table far larger than its config. With 3000 steps a column may still be
 * 1000 wide.
 */
#define PADDING_MAX (16u << 20)

/* A row is one line: control characters become spaces. */
static int add_cell(struct buf *out, const char *text, size_t width)
{
	size_t len = strlen(text);
	const char *end = text + len;
	void *room;
	char *to;
	int rc;

	if (width < len)
		width = len;
	rc = buf_reserve(out, width, &room);
	if (rc < 0)
		return rc;
	to = room;
	memset(to, ' ', width);
	while (text < end) {
		size_t n = control_len(text, end, NULL);

		if (n == 0)
			*to = *text;
		to += n ? n : 1;
		text += n ? n : 1;
	}
	buf_advance(out, width);
	return 0;
}

static int add_row(struct buf *out, const char *const *cells, const size_t *widths)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < N_COLUMNS; i++)
		rc = add_cell(out, cells[i], i + 1 < N_COLUMNS ? widths[i] + 3 : 0);
	return rc < 0 ? rc : buf_append_text(out, "\n");
}

/* A text longer than @max makes only its own row longer. */
static void widen_columns(const char *const *cells, size_t max, size_t *widths)
{
	size_t i, len;

	for (i = 0; i < N_COLUMNS; i++) {
		len = strlen(cells[i]);
		if (len > max)
			len = max;
		if (widths[i] < len)
			widths[i] = len;
	}
}

int history_render(const struct image_facts *f, struct buf *out)
{
	size_t i, n = f->history->n, max = PADDING_MAX / N_COLUMNS / (n + 1);
	size_t widths[N_COLUMNS] = {0};
	const char *cells[N_COLUMNS];
	char id[DIGEST_TEXT_MAX];
	struct scratch s;
	int rc;

	digest_format(&f->image->config_descriptor.digest, id);
	widen_columns(headings, max, widths);
	for (i = 0; i < n; i++) {
		fill_row(f, i, id, &s, cells);
		widen_columns(cells, max, widths);
	}
	rc = add_row(out, headings, widths);
	for (i = n; rc == 0 && i-- > 0;) {
		fill_row(f, i, id, &s, cells);
		rc = add_row(out, cells, widths);
	}
	if (rc == 0 && f->history->n_left_out > 0)
		rc = buf_printf(out, "and %zu more before them\n",
				f->history->n_left_out);
	return rc;
}
