/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "registry/auth/auths.h"
#include "registry/config/hosts.h"
#include "registry/http/http.h"
#include "registry/auth/token.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

#define MANY 3000

static struct http *http;
static struct hosts *hosts;
static struct auths *auths;
static struct err e;

static struct lease *get(const char *base, unsigned repository)
{
	struct lease *l = NULL;
	char name[32];

	snprintf(name, sizeof(name), "team/%u", repository);
	if (auths_get(auths, base, name, "x.y", false, &l, &e) < 0) {
		printf("# %s\n", e.text);
		exit(1);
	}
	return l;
}

/* It was told once that a password is wanted, and there is none. */
static bool knows(const struct lease *l)
{
	const struct auth_tls tls = {NULL, NULL};
	char *value = NULL;
	int rc = auth_get(l->auth, &tls, clock_ms() + 1000, &value, &e);

	free(value);
	return rc == -EACCES;
}

static void teach(struct lease *l)
{
	if (auth_refused(l->auth, NULL, "Basic realm=\"a\"") < 0)
		exit(1);
}

static void test_same(void)
{
	struct lease *a = get("http://a", 1), *b = get("http://a", 1),
		     *c = get("http://b", 1);

	ok(a == b, "one repository has one authorization");
	ok(a != c, "at another place it has another");
	teach(a);
	auths_put(auths, a);
	ok(knows(b), "who has it still is not harmed by who gives it back");
	auths_put(auths, b);
	auths_put(auths, c);
	a = get("http://a", 1);
	ok(knows(a), "given back, it is kept");
	c = get("http://b", 1);
	ok(!knows(c), "and the other knows nothing");
	auths_put(auths, a);
	auths_put(auths, c);
	auths_put(auths, NULL);
}

/* Those in use stay, however many; of the others the last few. */
static void test_many(void)
{
	static struct lease *held[MANY];
	unsigned i, known = 0;

	for (i = 0; i < MANY; i++) {
		held[i] = get("http://many", i);
		teach(held[i]);
	}
	for (i = 0; i < MANY; i++) {
		struct lease *again = get("http://many", i);

		known += again == held[i];
		auths_put(auths, again);
	}
	is_int(known, MANY, "all that are in use are found again");
	for (i = 0; i < MANY; i++)
		auths_put(auths, held[i]);
	for (i = MANY, known = 0; i-- > 0;) {
		held[i] = get("http://many", i);
		known += knows(held[i]);
		if (i == MANY - 1 || i == 0)
			is_int(known, i ? 1 : 64, "known of %u", MANY - i);
	}
	for (i = 0; i < MANY; i++)
		auths_put(auths, held[i]);
}

int main(void)
{
	place_make();
	place_env("HOME", place);
	place_env("DOCKER_CONFIG", place);
	place_env("XDG_RUNTIME_DIR", place);
	place_env("REGISTRY_AUTH_FILE", NULL);
	if (http_new(8, &http, &e) < 0 || hosts_new(NULL, false, &hosts, &e) < 0 ||
	    auths_new(http, hosts, NULL, &auths, &e) < 0) {
		printf("# %s\n", e.text);
		exit(1);
	}
	test_same();
	test_many();
	auths_free(auths);
	hosts_free(hosts);
	http_free(http);
	return test_done();
}
