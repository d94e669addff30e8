/* SPDX-License-Identifier: MIT */
#include "registry/image/platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"

static const struct {
	const char *alias, *arch, *variant; /* variant NULL: as given */
} aliases[] = {
	{"x86_64", "amd64", NULL},
	{"x86-64", "amd64", NULL},
	{"i386", "386", ""},
	{"i686", "386", ""},
	{"aarch64", "arm64", NULL},
	{"armhf", "arm", "v7"},
	{"armel", "arm", "v6"},
	{"armv7l", "arm", "v7"},
	{"armv6l", "arm", "v6"},
	{"armv5tel", "arm", "v5"},
	{"loongarch64", "loong64", NULL},
};

static void set_part(char *part, const char *text)
{
	snprintf(part, PLATFORM_PART_MAX, "%.*s", PLATFORM_PART_MAX - 1, text);
}

static void lower_text(char *text)
{
	for (; *text; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text + 'a' - 'A');
	}
}

/* "8" becomes v8 and "8.0" becomes v8.0. */
static void prefix_v(char *variant)
{
	char old[PLATFORM_PART_MAX];

	if (variant[0] < '0' || variant[0] > '9')
		return;
	memcpy(old, variant, sizeof(old));
	snprintf(variant, PLATFORM_PART_MAX, "v%.*s", PLATFORM_PART_MAX - 2, old);
}

void platform_normalise(struct platform *p)
{
	size_t i, len;

	lower_text(p->os);
	lower_text(p->arch);
	lower_text(p->variant);
	if (strcmp(p->os, "macos") == 0)
		set_part(p->os, "darwin");
	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcmp(p->arch, aliases[i].alias) != 0)
			continue;
		set_part(p->arch, aliases[i].arch);
		if (aliases[i].variant)
			set_part(p->variant, aliases[i].variant);
		break;
	}
	if (strncmp(p->arch, "arm", 3) == 0)
		prefix_v(p->variant);
	len = strlen(p->variant);
	if (len > 2 && strcmp(p->variant + len - 2, ".0") == 0)
		p->variant[len - 2] = '\0';
	if (strcmp(p->arch, "arm") == 0 && !p->variant[0])
		set_part(p->variant, "v7");
	if ((strcmp(p->arch, "arm64") == 0 && strcmp(p->variant, "v8") == 0) ||
	    (strcmp(p->arch, "amd64") == 0 && strcmp(p->variant, "v1") == 0))
		p->variant[0] = '\0';
}

static bool is_known_arch(const char *text)
{
	static const char *const known[] = {
		"386",	   "amd64",  "arm",	 "arm64", "ppc64le", "ppc64",	"s390x",
		"riscv64", "mips64", "mips64le", "mips",  "mipsle",  "loong64", "wasm",
	};
	struct platform p = {0};
	size_t i;

	if (strlen(text) >= PLATFORM_PART_MAX)
		return false;
	set_part(p.arch, text);
	platform_normalise(&p);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(p.arch, known[i]) == 0)
			return true;
	}
	return false;
}

static bool is_part(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		char c = text[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-')
			return false;
	}
	return len > 0 && len < PLATFORM_PART_MAX;
}

int platform_parse(const char *text, struct platform *out, struct err *e)
{
	char parts[3][PLATFORM_PART_MAX] = {""};
	struct platform p = {.os = "linux"};
	const char *at = text;
	size_t n = 0, first;

	for (;;) {
		size_t len = strcspn(at, "/");

		if (n == 3 || !is_part(at, len))
			return err_set(e, -EINVAL,
				       "%s: not a platform (os/arch or os/arch/variant, "
				       "such as linux/arm64)",
				       text);
		memcpy(parts[n++], at, len);
		if (!at[len])
			break;
		at += len + 1;
	}
	first = n < 3 && is_known_arch(parts[0]) ? 0 : 1;
	if (first == 1)
		set_part(p.os, parts[0]);
	if (first >= n)
		return err_set(
			e, -EINVAL,
			"%s: a platform needs an architecture, such as linux/amd64",
			text);
	set_part(p.arch, parts[first]);
	if (first + 1 < n)
		set_part(p.variant, parts[first + 1]);
	platform_normalise(&p);
	*out = p;
	return 0;
}

/* The levels of x86-64 by the features that tell them apart (x86-64 psABI). */
static const char *host_amd64_variant(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt") ||
	    !__builtin_cpu_supports("ssse3"))
		return "";
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2") ||
	    !__builtin_cpu_supports("fma"))
		return "v2";
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
	    !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
	    !__builtin_cpu_supports("avx512vl"))
		return "v3";
	return "v4";
#else
	return "";
#endif
}

void platform_host(struct platform *out)
{
	struct platform p = {.os = "linux"};
	struct utsname u;

	if (uname(&u) < 0)
		u.machine[0] = '\0';
	snprintf(p.arch, sizeof(p.arch), "%.*s", PLATFORM_PART_MAX - 1, u.machine);
	if (strcmp(p.arch, "armv8l") == 0)
		set_part(p.arch, "armv7l"); /* a 32-bit process on a 64-bit kernel */
	if (strcmp(p.arch, "mips64") == 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		set_part(p.arch, "mips64le");
	if (strcmp(p.arch, "x86_64") == 0)
		set_part(p.variant, host_amd64_variant());
	platform_normalise(&p);
	*out = p;
}

const char *platform_format(const struct platform *p, char sep, char *out)
{
	char *c;

	if (p->variant[0])
		snprintf(out, PLATFORM_TEXT_MAX, "%s%c%s%c%s", p->os, sep, p->arch, sep,
			 p->variant);
	else
		snprintf(out, PLATFORM_TEXT_MAX, "%s%c%s", p->os, sep, p->arch);
	for (c = out; sep == '-' && *c; c++) {
		if (!is_part(c, 1))
			*c = '_';
	}
	return out;
}

/* "v8.4" -> 8, 4; "" -> @def, 0. False: not a version. */
static bool parse_version(const char *variant, unsigned def, unsigned *major,
			  unsigned *minor)
{
	char *end;

	*major = def;
	*minor = 0;
	if (!variant[0])
		return true;
	if (variant[0] != 'v' || variant[1] < '0' || variant[1] > '9')
		return false;
	*major = (unsigned)strtoul(variant + 1, &end, 10) % 100;
	if (*end == '.')
		*minor = (unsigned)strtoul(end + 1, &end, 10) % 100;
	return *end == '\0';
}

/* Scores: native execution ranks above a compatibility mode. */
#define NATIVE 10000
#define COMPAT 100

static unsigned match_amd64(const struct platform *want, const struct platform *have)
{
	unsigned w, h, minor;

	if (strcmp(have->arch, "386") == 0)
		return COMPAT;
	if (strcmp(have->arch, "amd64") != 0 ||
	    !parse_version(want->variant, 1, &w, &minor) ||
	    !parse_version(have->variant, 1, &h, &minor))
		return 0;
	return h <= w ? NATIVE + h : 0;
}

static unsigned match_arm(const struct platform *want, const struct platform *have,
			  unsigned score)
{
	unsigned w, h, minor;

	if (strcmp(have->arch, "arm") != 0 ||
	    !parse_version(want->variant, 7, &w, &minor) ||
	    !parse_version(have->variant, 7, &h, &minor))
		return 0;
	return h >= 5 && h <= w ? score + h : 0;
}

/* Armv9.x includes Armv8.(x+5); the last of these is 8.9. */
static unsigned match_arm64(const struct platform *want, const struct platform *have)
{
	static const struct platform arm32 = {.variant = "v8"};
	unsigned w, wm, h, hm;

	if (strcmp(have->arch, "arm") == 0)
		return match_arm(&arm32, have, COMPAT);
	if (strcmp(have->arch, "arm64") != 0 ||
	    !parse_version(want->variant, 8, &w, &wm) ||
	    !parse_version(have->variant, 8, &h, &hm))
		return 0;
	if (w == 9 && h == 8)
		wm = wm + 5 < 9 ? wm + 5 : 9;
	else if (w != h)
		return 0;
	return hm <= wm ? NATIVE + h * 100 + hm : 0;
}

unsigned platform_match(const struct platform *want, const struct platform *have)
{
	if (strcmp(want->os, have->os) != 0)
		return 0;
	/* An exact match is right even for unknown names. */
	if (strcmp(want->arch, have->arch) == 0 &&
	    strcmp(want->variant, have->variant) == 0)
		return 2 * NATIVE;
	if (strcmp(want->arch, "amd64") == 0)
		return match_amd64(want, have);
	if (strcmp(want->arch, "arm64") == 0)
		return match_arm64(want, have);
	if (strcmp(want->arch, "arm") == 0)
		return match_arm(want, have, NATIVE);
	return 0;
}
