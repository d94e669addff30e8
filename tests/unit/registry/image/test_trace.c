/* SPDX-License-Identifier: MIT */
/* Traces as text. */
#include "registry/image/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "tests/unit/test.h"

static void test_right(void)
{
	static const char text[] =
		"0=0-1048575,3145728-4194303 2=5-5 0=7-9223372036854775806";
	struct trace t;
	struct buf out;

	buf_init(&out, TRACE_TEXT_MAX);
	is_int(trace_parse(text, &t), 0, "a trace");
	is_int(t.n, 4, "its ranges");
	ok(t.list[1].layer == 0 && t.list[1].first == 3145728 && t.list[1].end == 4194304,
	   "the last byte is included");
	ok(t.list[2].layer == 2 && t.list[2].end == 6, "a layer");
	is_int(trace_write(&t, &out), 0, "writing it");
	is_text(buf_text(&out), text, "gives the same");
	trace_release(&t);
	buf_release(&out);
}

static void test_wrong(void)
{
	static const char *const texts[] = {
		"",
		" ",
		"0",
		"0=",
		"0=1",
		"0=1-",
		"0=-1",
		"0=2-1",
		"0=0-1 ",
		" 0=0-1",
		"0=0-1,",
		"0=0-1,,2-3",
		"0=0-1  1=0-1",
		"x=0-1",
		"0=x-1",
		"-1=0-1",
		"1000=0-1",
		"0=0-1\n",
		"0=0--1",
		"0=0-9223372036854775807",
		"0=0-18446744073709551616",
	};
	struct trace t;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ok(trace_parse(texts[i], &t) == -EBADMSG && !t.list, "\"%s\"", texts[i]);
}

static void test_ceilings(void)
{
	static char text[TRACE_TEXT_MAX + 16];
	struct trace t = {.list = NULL};
	struct buf out;
	uint64_t i;
	int rc = 0;

	buf_init(&out, TRACE_TEXT_MAX);
	for (i = 0; i < TRACE_RANGES_MAX && rc == 0; i++)
		rc = trace_add(&t, 0, 3 * i, 3 * i + 1);
	is_int(rc, 0, "as many ranges as there may be");
	is_int(trace_add(&t, 0, 0, 1), -E2BIG, "one more");
	is_int(trace_add(&t, 0, 3 * i - 2, 3 * i), 0, "but the last one grows");
	is_int(trace_bytes(&t), TRACE_RANGES_MAX + 2, "their bytes");
	rc = trace_write(&t, &out);
	trace_release(&t);
	if (rc == 0)
		rc = buf_append_text(&out, " 1=0-0");
	ok(rc == 0 && trace_parse(buf_text(&out), &t) == -EBADMSG, "and as text");
	memset(text, '0', TRACE_TEXT_MAX + 1);
	memcpy(text + TRACE_TEXT_MAX - 5, "1=0-10", 6);
	is_int(trace_parse(text, &t), -EBADMSG, "a text that is too long");
	is_int(trace_parse(text + 1, &t), 0, "and one that is not");
	trace_release(&t);
	buf_release(&out);
}

static void test_sums(void)
{
	struct trace t = {.list = NULL};

	trace_add(&t, 0, 0, UINT64_MAX - 1);
	trace_add(&t, 1, 0, 2);
	ok(trace_bytes(&t) == UINT64_MAX, "a sum that does not fit");
	trace_release(&t);
}

int main(void)
{
	test_right();
	test_wrong();
	test_ceilings();
	test_sums();
	return test_done();
}
