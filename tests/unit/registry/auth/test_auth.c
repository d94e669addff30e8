/* SPDX-License-Identifier: MIT */
#include "registry/auth/auth.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "registry/auth/keychain.h"
#include "registry/auth/token.h"
#include "registry/http/http.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"
#include "tests/unit/web.h"

static struct web web;
static struct http *http;
static struct keychain *keychain;

/* The token server: what it answers, and what it was asked last. */
static struct {
	int status;
	const char *body; /* NULL: a token that is different each time */
	const char *seconds;
	unsigned asked;
	char path[512];
	char authorization[128];
} server;

static void serve(void *arg, const struct web_request *rq, struct buf *out)
{
	const char *field = strstr(rq->fields, "Authorization: ");
	char token[128];

	(void)arg;
	server.asked++;
	snprintf(server.path, sizeof(server.path), "%.400s", rq->path);
	snprintf(server.authorization, sizeof(server.authorization), "%.*s",
		 field ? (int)strcspn(field + 15, "\r") : 0, field ? field + 15 : "");
	snprintf(token, sizeof(token), "{\"token\": \"t%u\"%s%s}", server.asked,
		 server.seconds ? ", \"expires_in\": " : "",
		 server.seconds ? server.seconds : "");
	web_give(out, server.status, "", server.body ? server.body : token);
}

/* "@" in @text stands for the server's "http://127.0.0.1:PORT". */
static const char *with_base(const char *text)
{
	static char out[1024];
	const char *at = strchr(text, '@');

	if (!at)
		return text;
	snprintf(out, sizeof(out), "%.*shttp://127.0.0.1:%u%s", (int)(at - text), text,
		 web.port, at + 1);
	return out;
}

static struct auth *new_auth(const char *base, const char *repository, const char *entry)
{
	struct auth_options options = {
		.base = base,
		.repository = repository,
		.host = "x.y",
		.authfile = entry ? place_path("auth.json") : NULL,
		.keychain = keychain,
	};
	struct auth *a = NULL;
	FILE *f;

	if (entry) {
		f = fopen(place_path("auth.json"), "w");
		if (!f || fprintf(f, "{\"auths\": {\"x.y\": %s}}", entry) < 0 ||
		    fclose(f) != 0)
			exit(77);
	}
	server.status = 200;
	server.body = server.seconds = NULL;
	server.asked = 0;
	server.path[0] = server.authorization[0] = '\0';
	if (auth_new(http, &options, &a, NULL) < 0)
		exit(77);
	return a;
}

static int get(struct auth *a, int64_t ms, char **out, struct err *e)
{
	static const struct auth_tls tls = {NULL, NULL};

	e->text[0] = '\0';
	return auth_get(a, &tls, clock_ms() + ms, out, e);
}

static void is_value(struct auth *a, const char *want, const char *what)
{
	struct err e;
	char *value = NULL;
	int rc = get(a, 5000, &value, &e);

	is_text(rc < 0 ? e.text : value ? value : "(none)", want, "%s", what);
	secret_free(value);
}

#define LOGIN	 "{\"auth\": \"dTpw\"}" /* u:p */
#define IDENTITY "{\"identitytoken\": \"it\"}"
#define READY	 "{\"registrytoken\": \"rt\"}"
#define REALM	 "Bearer realm=\"@/token\""

static void test_challenges(void)
{
	static const struct {
		const char *what, *base, *challenge, *entry;
		int rc;
		const char *value; /* or a part of the sentence */
		const char *path, *authorization;
	} rows[] = {
		{"basic", "@", "Basic realm=\"r\"", LOGIN, 0, "Basic dTpw", "", ""},
		{"basic, without a login", "@", "Basic realm=\"r\"", NULL, -EACCES,
		 "wants a user and a password", "", ""},
		{"bearer, anonymous", "@", REALM ",service=\"s\",scope=\"a:b c:d\"", NULL,
		 0, "Bearer t1", "/token?service=s&scope=a%3Ab&scope=c%3Ad", ""},
		{"bearer, without a scope", "@", REALM, NULL, 0, "Bearer t1",
		 "/token?scope=repository%3Aa%2Fb%3Apull", ""},
		{"bearer, with a login", "@", REALM ",scope=\"s\"", LOGIN, 0, "Bearer t1",
		 "/token?scope=s&account=u", "Basic dTpw"},
		{"bearer, with an identity token", "@", REALM, IDENTITY, 0, "Bearer t1",
		 "/token", ""},
		{"bearer, with a ready token", "@", REALM, READY, 0, "Bearer rt", "", ""},
		{"bearer before basic", "@", "Basic realm=\"r\", " REALM, NULL, 0,
		 "Bearer t1", "/token?scope=repository%3Aa%2Fb%3Apull", ""},
		{"a password in the clear", "https://x.y", REALM, LOGIN, -EACCES,
		 "in the clear", "", ""},
		{"no password in the clear", "https://x.y", REALM, NULL, 0, "Bearer t1",
		 "/token?scope=repository%3Aa%2Fb%3Apull", ""},
		{"a realm that is no URL", "@", "Bearer realm=\"here\"", NULL, -EACCES,
		 "not a URL", "", ""},
	};
	struct err e;
	struct auth *a;
	char base[1024];
	char *value;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(base, sizeof(base), "%s", with_base(rows[i].base));
		a = new_auth(base, "a/b", rows[i].entry);
		value = NULL;
		rc = get(a, 5000, &value, &e);
		ok(rc == 0 && !value, "%s: nothing before a challenge", rows[i].what);
		is_int(auth_refused(a, NULL, with_base(rows[i].challenge)), 0, "met");
		rc = get(a, 5000, &value, &e);
		is_int(rc, rows[i].rc, "then %d %s", rows[i].rc, e.text);
		if (rc == 0)
			is_text(value, rows[i].value, "its value");
		else
			ok(strstr(e.text, rows[i].value), "%s", e.text);
		is_text(server.path, rows[i].path, "what the token server is asked");
		is_text(server.authorization, rows[i].authorization, "with what");
		secret_free(value);
		auth_free(a);
	}
}

static void test_servers(void)
{
	static const struct {
		const char *what;
		int status;
		const char *body;
		int rc;
	} rows[] = {
		{"a refusal", 401, "{}", -EACCES},
		{"a repository that does not exist", 404, "{}", -EACCES},
		{"an expired refresh token", 400, "{}", -EACCES},
		{"a server that is down", 503, "{}", -EIO},
		{"an empty answer", 200, "", -EBADMSG},
		{"an answer that is no JSON", 200, "<html>", -EBADMSG},
		{"an answer without a token", 200, "{\"token\": \"\"}", -EBADMSG},
		{"a token that breaks the line", 200, "{\"token\": \"a\\r\\nb: c\"}",
		 -EBADMSG},
		{"another name of the token", 200, "{\"access_token\": \"t\"}", 0},
		{"a token without a life", 200, "{\"token\": \"t\", \"expires_in\": 0}",
		 0},
	};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auth *a = new_auth(with_base("@"), "a/b", NULL);
		char *value = NULL;

		server.status = rows[i].status;
		server.body = rows[i].body;
		is_int(auth_refused(a, NULL, with_base(REALM)), 0, "a challenge");
		is_int(get(a, 600, &value, &e), rows[i].rc, "%s: %s", rows[i].what,
		       e.text);
		if (rows[i].rc == 0)
			is_text(value, "Bearer t", "the token");
		secret_free(value);
		auth_free(a);
	}
}

static void test_renewal(void)
{
	static const struct timespec second = {.tv_sec = 1};
	struct auth *a = new_auth(with_base("@"), "a/b", NULL);
	char want[1200];

	is_int(auth_refused(a, NULL, "Digest realm=\"x\""), -ENOENT,
	       "no challenge of ours");
	is_int(auth_refused(a, NULL, with_base(REALM)), 0, "a challenge");
	server.seconds = "3600";
	is_value(a, "Bearer t1", "a token");
	is_value(a, "Bearer t1", "is kept");
	is_int(auth_refused(a, "Bearer t1", with_base(REALM)), 0, "until it is refused");
	server.seconds = "1";
	is_value(a, "Bearer t2", "then it is renewed");
	is_int(auth_refused(a, "Bearer t1", with_base(REALM)), 0,
	       "a late answer to the old one");
	is_value(a, "Bearer t2", "changes nothing");
	nanosleep(&second, NULL);
	is_value(a, "Bearer t3", "a token ends with its life");
	auth_free(a);

	a = new_auth(with_base("@"), "a/b", LOGIN);
	is_int(auth_refused(a, NULL, "Basic realm=\"x\""), 0, "a login is wanted");
	is_value(a, "Basic dTpw", "and sent");
	is_int(auth_refused(a, "Basic dTpw", "Basic realm=\"x\""), 0, "and refused");
	snprintf(want, sizeof(want),
		 "x.y refuses the user and password from %s: log in again",
		 place_path("auth.json"));
	is_value(a, want, "so it is not sent again");
	auth_free(a);

	a = new_auth(with_base("@"), "a/b", LOGIN);
	is_int(auth_refused(a, NULL, with_base(REALM)), 0, "a token is wanted");
	server.status = 401;
	snprintf(want, sizeof(want),
		 "the credentials from %s: the token server answers 401 Unauthorized: "
		 "DENIED, no",
		 place_path("auth.json"));
	server.body = "{\"errors\": [{\"code\": \"DENIED\", \"message\": \"no\"}]}";
	is_value(a, want, "the token server refuses the login");
	auth_free(a);
}

static void test_suppose(void)
{
	struct auth *known = new_auth(with_base("@"), "a/b", NULL);
	struct auth *a = new_auth(with_base("@"), "a/c", NULL);
	struct auth *b = new_auth(with_base("@"), "a/d", NULL);

	auth_suppose(a, known);
	is_value(a, "(none)", "nothing is known yet");
	is_int(auth_refused(known, NULL, with_base(REALM)), 0, "a challenge elsewhere");
	auth_suppose(a, known);
	is_value(a, "Bearer t1", "is assumed here");
	is_text(server.path, "/token?scope=repository%3Aa%2Fc%3Apull",
		"for the own repository");
	auth_suppose(b, known);
	server.body = "{}";
	is_value(b, "(none)", "without an answer to it, none is assumed");
	auth_free(a);
	auth_free(b);
	auth_free(known);
}

int main(void)
{
	struct err e = {""};

	place_make();
	place_env("HOME", place);
	place_env("XDG_RUNTIME_DIR", place);
	place_env("XDG_CONFIG_HOME", NULL);
	place_env("DOCKER_CONFIG", NULL);
	place_env("DOCKER_AUTH_CONFIG", NULL);
	place_env("REGISTRY_AUTH_FILE", NULL);
	if (http_new(8, &http, &e) < 0 || keychain_new(&keychain, &e) < 0) {
		printf("# %s\n", e.text);
		return 1;
	}
	web_start(&web, serve, NULL);
	test_challenges();
	test_servers();
	test_renewal();
	test_suppose();
	web_stop(&web);
	keychain_free(keychain);
	http_free(http);
	return test_done();
}
