/* SPDX-License-Identifier: MIT */
#include "registry/trust/identity.h"

#include <errno.h>

#include "base/err.h"
#include "base/json.h"
#include "tests/unit/test.h"

#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(const char *text, struct identity *out, struct err *e)
{
	struct json *j = NULL;
	int rc;

	if (json_parse(text, strlen(text), &j, NULL) < 0)
		exit(1);
	rc = identity_parse(j, out, e);
	json_free(j);
	return rc;
}

static void test_invalid(void)
{
	static const char *const rows[] = {
		"[]",
		"{}",
		"{\"type\":\"matchAll\"}",
		"{\"type\":\"matchExact\",\"x\":1}",
		"{\"type\":\"matchExact\",\"type\":\"matchExact\"}",
		"{\"type\":\"exactReference\"}",
		"{\"type\":\"exactReference\",\"dockerReference\":\"\"}",
		"{\"type\":\"exactReference\",\"dockerReference\":1}",
		"{\"type\":\"exactReference\",\"dockerReference\":\"host:5000/a\"}",
		"{\"type\":\"exactReference\",\"dockerReference\":\"A B:t\"}",
		"{\"type\":\"exactRepository\",\"dockerRepository\":\"A B\"}",
		"{\"type\":\"remapIdentity\",\"prefix\":\"a.b\"}",
		"{\"type\":\"remapIdentity\",\"prefix\":\"a.b\",\"signedPrefix\":\"\"}",
		"{\"type\":\"remapIdentity\",\"prefix\":\"a.b/c:t\",\"signedPrefix\":\"a\"}",
		"{\"type\":\"remapIdentity\",\"prefix\":\"a.b/\",\"signedPrefix\":\"a\"}",
	};
	struct identity id;
	struct err e = {""};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(parse(rows[i], &id, &e), -EBADMSG, "%s: %s", rows[i], e.text);
	is_int(identity_parse(NULL, &id, NULL), 0, "none");
	is_int(id.kind, IDENTITY_REPO_DIGEST_OR_EXACT, "is the default");
}

#define DEFAULT "{\"type\":\"matchRepoDigestOrExact\"}"
#define EXACT	"{\"type\":\"matchExact\"}"
#define REPO	"{\"type\":\"matchRepository\"}"
#define THIS	"{\"type\":\"exactReference\",\"dockerReference\":\"a.b/c:t\"}"
#define THESE	"{\"type\":\"exactRepository\",\"dockerRepository\":\"a.b/c:x\"}"
#define REMAP(from, to) \
	"{\"type\":\"remapIdentity\",\"prefix\":\"" from "\",\"signedPrefix\":\"" to "\"}"

static void test_matches(void)
{
	static const struct {
		const char *identity, *wanted, *claimed;
		bool good;
	} rows[] = {
		{DEFAULT, "a.b/c:t", "a.b/c:t", true},
		{DEFAULT, "a.b/c:t", "a.b/c:u", false},
		{DEFAULT, "a.b/c:t", "a.b/c", false},
		{DEFAULT, "a.b/c:latest", "a.b/c", false},
		{DEFAULT, "a.b/c:t", "a.b/d:t", false},
		{DEFAULT, "a.b/c:t", "a.b/c:t@" D, false},
		{DEFAULT, "a.b/c@" D, "a.b/c:u", true},
		{DEFAULT, "a.b/c@" D, "a.b/c@" D, true},
		{DEFAULT, "a.b/c:t@" D, "a.b/c:u", true},
		{DEFAULT, "a.b/c@" D, "a.b/c", false},
		{DEFAULT, "a.b/c@" D, "a.b/d:u", false},
		{DEFAULT, "nginx:1", "docker.io/library/nginx:1", true},
		{DEFAULT, "nginx:1", "index.docker.io/library/nginx:1", true},
		{DEFAULT, "nginx:1", "nginx:1", true},
		{DEFAULT, "nginx:1", "localhost:1/library/nginx:1", false},
		{DEFAULT, NULL, "a.b/c:t", false},
		{DEFAULT, "a.b/c:t", "", false},
		{DEFAULT, "a.b/c:t", "A B", false},
		{EXACT, "a.b/c:t", "a.b/c:t", true},
		{EXACT, "a.b/c:t", "a.b/c", false},
		{EXACT, "a.b/c@" D, "a.b/c:t", false},
		{EXACT, "a.b/c@" D, "a.b/c@" D, true},
		{EXACT, NULL, "a.b/c:t", false},
		{REPO, "a.b/c:t", "a.b/c", true},
		{REPO, "a.b/c:t", "a.b/c:u", true},
		{REPO, "a.b/c@" D, "a.b/c", true},
		{REPO, "a.b/c:t", "a.b/c/d", false},
		{REPO, "a.b/c:t", "a.c/c", false},
		{REPO, NULL, "a.b/c", false},
		{THIS, "x.y/z:t", "a.b/c:t", true},
		{THIS, NULL, "a.b/c:t", true},
		{THIS, "a.b/c:t", "a.b/c", false},
		{THIS, "a.b/c:t", "a.b/c:u", false},
		{THESE, "x.y/z:t", "a.b/c:u", true},
		{THESE, NULL, "a.b/c", true},
		{THESE, NULL, "a.b/d", false},
		{REMAP("a.b", "x.y"), "a.b/c:t", "x.y/c:t", true},
		{REMAP("a.b", "x.y"), "a.b/c:t", "a.b/c:t", false},
		{REMAP("a.b", "x.y"), "a.bc/c:t", "a.bc/c:t", true},
		{REMAP("a.b", "x.y"), "a.bc/c:t", "x.yc/c:t", false},
		{REMAP("a.b/c", "x.y/z/w"), "a.b/c:t", "x.y/z/w:t", true},
		{REMAP("a.b/c", "x.y/z"), "a.b/c/d:t", "x.y/z/d:t", true},
		{REMAP("a.b/c", "x.y/z"), "a.b/cd:t", "x.y/zd:t", false},
		{REMAP("a.b/c", "x.y/z"), "a.b/c@" D, "x.y/z:u", true},
		{REMAP("a.b/c", "x.y/z"), "a.b/c@" D, "x.y/z", false},
		{REMAP("a.b/c", "x.y"), "a.b/c:t", "x.y:t", false},
		{REMAP("a.b", "x.y"), NULL, "x.y/c:t", false},
	};
	struct identity id;
	struct reference wanted;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (parse(rows[i].identity, &id, NULL) < 0 ||
		    (rows[i].wanted &&
		     reference_parse(rows[i].wanted, &wanted, NULL) < 0))
			exit(1);
		is_int(identity_matches(&id, rows[i].wanted ? &wanted : NULL,
					rows[i].claimed),
		       rows[i].good, "%s: %s for %s", rows[i].identity, rows[i].claimed,
		       rows[i].wanted ? rows[i].wanted : "an image on disk");
	}
}

int main(void)
{
	test_invalid();
	test_matches();
	return test_done();
}
