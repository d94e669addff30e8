/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include "base/buf.h"
#include "tests/unit/test.h"

int main(void)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} rows[] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg==", "foob"},
		{"Zm9vYg", "foob"},
		{"Zg", "f"},
		{"+/+/", "\xfb\xff\xbf"},
		{"Z", NULL},
		{"Zm9vY", NULL},
		{"Zm 9v", NULL},
		{"Zm9-", NULL},
		{"Zm=v", NULL},
	};
	char text[64];
	size_t i, len;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good;

		len = strlen(rows[i].in);
		memcpy(text, rows[i].in, len);
		good = base64_decode(text, &len);
		if (!rows[i].out)
			ok(!good, "\"%s\" is refused", rows[i].in);
		else
			ok(good && len == strlen(rows[i].out) &&
				   memcmp(text, rows[i].out, len) == 0,
			   "\"%s\" is decoded", rows[i].in);
	}
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b;

		if (!rows[i].out || strlen(rows[i].in) % 4)
			continue;
		buf_init(&b, 64);
		ok(base64_append(&b, rows[i].out, strlen(rows[i].out)) == 0 &&
			   strcmp(buf_text(&b), rows[i].in) == 0,
		   "\"%s\" is encoded", rows[i].in);
		buf_release(&b);
	}
	return test_done();
}
