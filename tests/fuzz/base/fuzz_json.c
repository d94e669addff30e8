/* SPDX-License-Identifier: MIT */
/* What is parsed can be walked, written, and read back. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One pass makes the UTF-8 good (an escape may name half a surrogate); then it stays. */
static void write_twice(const char *text)
{
	struct json *once = NULL, *twice = NULL;
	struct buf b;

	buf_init(&b, 1 << 20);
	if (json_append_string(&b, text, strlen(text)) == 0) {
		if (json_parse(b.data, b.len, &once, NULL) < 0 || !json_string(once))
			abort();
		buf_clear(&b);
		if (json_append_string(&b, json_string(once), strlen(json_string(once))) <
			    0 ||
		    json_parse(b.data, b.len, &twice, NULL) < 0 ||
		    strcmp(json_string(once), json_string(twice)) != 0)
			abort();
	}
	json_free(once);
	json_free(twice);
	buf_release(&b);
}

static void walk(const struct json *j)
{
	const char *text = json_string(j);
	int64_t v;
	size_t i;

	(void)json_int(j, &v);
	if (text)
		write_twice(text);
	for (i = 0; i < json_count(j); i++) {
		if (json_key(j, i) && !json_member(j, json_key(j, i)))
			abort();
		walk(json_value(j, i));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json *j = NULL;

	if (json_parse(data, size, &j, NULL) == 0)
		walk(j);
	json_free(j);
	return 0;
}
