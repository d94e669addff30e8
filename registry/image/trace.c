/* SPDX-License-Identifier: MIT */
#include "registry/image/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/num.h"

/* Takes the number at *text, which @until must follow, and moves behind that. */
static bool take_number(const char **text, char until, uint64_t max, uint64_t *out)
{
	const char *end = strchr(*text, until);

	if (!end || !num_parse(*text, (size_t)(end - *text), max, out))
		return false;
	*text = end + 1;
	return true;
}

/* Takes a range of @layer at *text, and moves to what follows it. */
static int take_range(const char **text, uint32_t layer, struct trace *out)
{
	uint64_t first, last;
	size_t len;

	if (!take_number(text, '-', INT64_MAX - 1, &first))
		return -EBADMSG;
	len = strcspn(*text, ", ");
	if (!num_parse(*text, len, INT64_MAX - 1, &last) || last < first)
		return -EBADMSG;
	*text += len;
	return trace_add(out, layer, first, last + 1);
}

/* Takes a layer with its ranges, and the space behind it. */
static int take_layer(const char **text, struct trace *out)
{
	uint64_t layer;
	int rc;

	if (!take_number(text, '=', TRACE_LAYERS_MAX - 1, &layer))
		return -EBADMSG;
	rc = take_range(text, (uint32_t)layer, out);
	while (rc == 0 && **text == ',') {
		++*text;
		rc = take_range(text, (uint32_t)layer, out);
	}
	if (rc == 0 && **text == ' ' && *++*text == '\0')
		return -EBADMSG;
	return rc;
}

int trace_parse(const char *text, struct trace *out)
{
	int rc = 0;

	*out = (struct trace){.list = NULL};
	if (!*text || strnlen(text, TRACE_TEXT_MAX + 1) > TRACE_TEXT_MAX)
		return -EBADMSG;
	while (rc == 0 && *text)
		rc = take_layer(&text, out);
	if (rc < 0)
		trace_release(out);
	return rc == -E2BIG ? -EBADMSG : rc;
}

int trace_add(struct trace *t, uint32_t layer, uint64_t first, uint64_t end)
{
	struct trace_range *last = t->n ? &t->list[t->n - 1] : NULL;
	int rc;

	if (last && last->layer == layer && last->end == first) {
		last->end = end;
		return 0;
	}
	if (t->n == TRACE_RANGES_MAX)
		return -E2BIG;
	rc = array_grow(&t->list, t->n, sizeof(*t->list));
	if (rc == 0)
		t->list[t->n++] = (struct trace_range){layer, first, end};
	return rc;
}

int trace_write(const struct trace *t, struct buf *out)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < t->n && rc == 0; i++) {
		const struct trace_range *r = &t->list[i];

		if (i > 0 && r->layer == r[-1].layer)
			rc = buf_append_text(out, ",");
		else
			rc = buf_printf(out, "%s%" PRIu32 "=", i ? " " : "", r->layer);
		if (rc == 0)
			rc = buf_printf(out, "%" PRIu64 "-%" PRIu64, r->first,
					r->end - 1);
	}
	return rc;
}

uint64_t trace_bytes(const struct trace *t)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < t->n; i++) {
		if (!add_fits(sum, t->list[i].end - t->list[i].first, &sum))
			return UINT64_MAX;
	}
	return sum;
}

void trace_release(struct trace *t)
{
	free(t->list);
	*t = (struct trace){.list = NULL};
}
