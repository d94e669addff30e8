/* SPDX-License-Identifier: MIT */
/* Any text taken for storage.conf: a changed one has all that it had, and one insertion. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/ctl/storage_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct buf *text, const struct buf *out)
{
	size_t head = 0, tail = 0;
	struct buf again;
	struct err e;

	while (head < text->len && text->data[head] == out->data[head])
		head++;
	while (tail < text->len &&
	       text->data[text->len - 1 - tail] == out->data[out->len - 1 - tail])
		tail++;
	if (out->len <= text->len || head + tail < text->len)
		abort();
	buf_init(&again, STORAGE_CONF_MAX);
	if (storage_conf_add(out, "/s", &again, &e) != 0 || again.len != 0)
		abort();
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text, out;
	struct err e;

	buf_init(&text, STORAGE_CONF_MAX);
	buf_init(&out, STORAGE_CONF_MAX);
	if (buf_append(&text, data, size) == 0 &&
	    storage_conf_add(&text, "/s", &out, &e) == 1)
		check(&text, &out);
	buf_release(&text);
	buf_release(&out);
	return 0;
}
