/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "registry/auth/challenge.h"
#include "tests/unit/test.h"

static const struct {
	const char *text;
	enum challenge_scheme scheme; /* OTHER: none to answer */
	const char *realm, *service, *scope, *error;
} rows[] = {
	{"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
	 "scope=\"repository:library/nginx:pull,push\"",
	 CHALLENGE_BEARER, "https://auth.docker.io/token", "registry.docker.io",
	 "repository:library/nginx:pull,push", ""},
	{"bearer realm=https://a/t , service = b", CHALLENGE_BEARER, "https://a/t", "b",
	 "", ""},
	{"BASIC realm=\"x\"", CHALLENGE_BASIC, "x", "", "", ""},
	{"Basic", CHALLENGE_BASIC, "", "", "", ""},
	{"Basic realm=\"x\", Bearer realm=\"https://a/t\",error=\"invalid_token\"",
	 CHALLENGE_BEARER, "https://a/t", "", "", "invalid_token"},
	{"Bearer realm=\"https://a/t\", Basic realm=\"x\"", CHALLENGE_BEARER,
	 "https://a/t", "", "", ""},
	{"Negotiate, Basic realm=\"x\"", CHALLENGE_BASIC, "x", "", "", ""},
	{"Negotiate YIIabc==, Basic realm=\"x\"", CHALLENGE_BASIC, "x", "", "", ""},
	{"Negotiate YIIabc, Basic realm=\"x\"", CHALLENGE_BASIC, "x", "", "", ""},
	{"Digest qop=\"auth, auth-int\", nonce=\"a\", Bearer realm=\"https://a/t\"",
	 CHALLENGE_BEARER, "https://a/t", "", "", ""},
	{"Bearer realm=\"https://a/t?x=\\\"y\\\"\"", CHALLENGE_BEARER,
	 "https://a/t?x=\"y\"", "", "", ""},
	{"Bearer realm=\"https://a/t\",scope=\"a b\",extra=1", CHALLENGE_BEARER,
	 "https://a/t", "", "a b", ""},
	{"Bearer service=\"x\", Basic realm=\"y\"", CHALLENGE_BASIC, "y", "", "", ""},
	{"Bearer realm=\"https://a/t", CHALLENGE_BEARER, "https://a/t", "", "", ""},
	{", , Basic realm=\"x\" ,", CHALLENGE_BASIC, "x", "", "", ""},
	{"", CHALLENGE_OTHER, "", "", "", ""},
	{"Digest nonce=\"a\"", CHALLENGE_OTHER, "", "", "", ""},
	{"=,=\"", CHALLENGE_OTHER, "", "", "", ""},
	{"Bearer realm=\"\"", CHALLENGE_OTHER, "", "", "", ""},
};

int main(void)
{
	static char huge[CHALLENGE_REALM_MAX + 100];
	struct challenge c;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rc = challenge_choose(rows[i].text, &c);
		is_int(rc, rows[i].scheme == CHALLENGE_OTHER ? -ENOENT : 0, "%s",
		       rows[i].text);
		if (rc < 0)
			continue;
		is_int(c.scheme, rows[i].scheme, "scheme");
		is_text(c.realm, rows[i].realm, "realm");
		is_text(c.service, rows[i].service, "service");
		is_text(c.scope, rows[i].scope, "scope");
		is_text(c.error, rows[i].error, "error");
	}
	memset(huge, 'x', sizeof(huge) - 1);
	memcpy(huge, "Bearer realm=", 13);
	is_int(challenge_choose(huge, &c), -E2BIG, "a realm without end");
	return test_done();
}
