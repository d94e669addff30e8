/* SPDX-License-Identifier: MIT */
/*
 * A unit test prints TAP, for prove(1):
 *
 *	int main(void)
 *	{
 *		ok(buf.len == 3, "append counts");
 *		is_int(num("12"), 12, "row %d", i);
 *		is_text(name, "nginx", "the name is kept");
 *		return test_done();
 *	}
 *
 * Each check evaluates its operands once and gives whether it held.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned test_count, test_failures;

__attribute__((format(printf, 4, 5), unused)) static bool
test_report(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %u - ", good ? "" : "not ", ++test_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!good) {
		test_failures++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	/* tests/unit/oom refused memory, and the checks that follow rely on this one. */
	if (!good && getenv("OOM_SITE"))
		exit(1);
	return good;
}

__attribute__((unused)) static bool test_int(long long got, long long want)
{
	if (got != want)
		printf("# got %lld, expected %lld\n", got, want);
	return got == want;
}

__attribute__((unused)) static bool test_text(const char *got, const char *want)
{
	bool good = got && want ? strcmp(got, want) == 0 : got == want;

	if (!good)
		printf("# got \"%s\", expected \"%s\"\n", got ? got : "(null)",
		       want ? want : "(null)");
	return good;
}

#define ok(cond, ...) test_report((cond), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) \
	ok(test_int((long long)(got), (long long)(want)), __VA_ARGS__)
#define is_text(got, want, ...) ok(test_text((got), (want)), __VA_ARGS__)

/* A test that cannot run here: says why; prove counts it as skipped. */
__attribute__((unused, noreturn)) static void test_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

/* The plan, and main()'s exit status. */
__attribute__((unused)) static int test_done(void)
{
	printf("1..%u\n", test_count);
	return test_failures > 0;
}

#endif
