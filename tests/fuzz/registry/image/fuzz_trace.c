/* SPDX-License-Identifier: MIT */
/* Any text taken for a trace; what is accepted is within its ceilings, and written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "registry/image/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ranges(const struct trace *t)
{
	size_t i;

	if (t->n == 0 || t->n > TRACE_RANGES_MAX || trace_bytes(t) == 0)
		abort();
	for (i = 0; i < t->n; i++) {
		if (t->list[i].layer >= TRACE_LAYERS_MAX ||
		    t->list[i].first >= t->list[i].end || t->list[i].end > INT64_MAX)
			abort();
	}
}

static void check_again(const struct trace *t)
{
	struct trace again;
	struct buf text;
	size_t i;

	buf_init(&text, TRACE_TEXT_MAX);
	if (trace_write(t, &text) == 0) {
		if (trace_parse(buf_text(&text), &again) < 0 || again.n != t->n)
			abort();
		for (i = 0; i < t->n; i++) {
			if (again.list[i].layer != t->list[i].layer ||
			    again.list[i].first != t->list[i].first ||
			    again.list[i].end != t->list[i].end)
				abort();
		}
		trace_release(&again);
	}
	buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct trace t;

	if (text && trace_parse(text, &t) == 0) {
		check_ranges(&t);
		check_again(&t);
		trace_release(&t);
	}
	free(text);
	return 0;
}
