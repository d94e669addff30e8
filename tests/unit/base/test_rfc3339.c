/* SPDX-License-Identifier: MIT */
#include "base/rfc3339.h"

#include <time.h>

#include "tests/unit/test.h"

static void test_table(void)
{
	static const struct {
		const char *text;
		long long sec;
		unsigned ns;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"2023-11-14T22:13:20Z", 1700000000, 0},
		{"2023-11-14T22:13:20.5Z", 1700000000, 500000000},
		{"2023-11-14T22:13:20.123456789Z", 1700000000, 123456789},
		{"2023-11-14T22:13:20.1234567899Z", 1700000000, 123456789},
		{"2023-11-14T23:13:20+01:00", 1700000000, 0},
		{"2023-11-14T16:43:20-05:30", 1700000000, 0},
		{"2023-11-14t22:13:20z", 1700000000, 0},
		{"2001-09-09t01:46:40.123456789z", 1000000000, 123456789},
		{"2001-09-08T20:16:40-05:30", 1000000000, 0},
		{"1969-12-31T23:59:59.25Z", -1, 250000000},
		{"0001-01-01T00:00:00Z", -62135596800, 0},
		{"2000-02-29T00:00:00Z", 951782400, 0},
		{"9999-12-31T23:59:60Z", 253402300800, 0},
	};
	static const char *const bad[] = {
		"",
		"2023",
		"2023-11-14",
		"2023-11-14T22:13:20",
		"yesterday",
		"2023-11-14T22:13Z",
		"2023-13-14T22:13:20Z",
		"2023-00-14T22:13:20Z",
		"2023-11-32T22:13:20Z",
		"2023-11-14T24:13:20Z",
		"2023-11-14T22:60:20Z",
		"2023-11-14T22:13:61Z",
		"2023-11-14T22:13:20.Z",
		"2023-11-14T22:13:20+1:00",
		"2023-11-14T22:13:20+0100",
		"2023-11-14T22:13:20Z ",
		"23-11-14T22:13:20Z",
		"-023-11-14T22:13:20Z",
	};
	int64_t sec;
	uint32_t ns;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		sec = -7;
		ns = 7;
		ok(rfc3339_parse(good[i].text, strlen(good[i].text), &sec, &ns) &&
			   sec == good[i].sec && ns == good[i].ns,
		   "%s", good[i].text);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sec = -7;
		ok(!rfc3339_parse(bad[i], strlen(bad[i]), &sec, &ns) && sec == -7,
		   "\"%s\" is refused", bad[i]);
	}
}

/* Every day of the calendar is the one after the day before. */
static void test_days(void)
{
	unsigned wrong = 0;
	int64_t t, sec;
	uint32_t ns;
	char text[64];

	for (t = -62135596800; t < 253402300800; t += 86400) {
		time_t at = (time_t)t;
		struct tm tm;

		gmtime_r(&at, &tm);
		snprintf(text, sizeof(text), "%04d-%02d-%02dT00:00:00Z",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
		wrong += !rfc3339_parse(text, strlen(text), &sec, &ns) || sec != t;
	}
	is_int(wrong, 0, "all days of ten thousand years");
}

int main(void)
{
	test_table();
	test_days();
	return test_done();
}
