/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/auth/credentials.h"
#include "registry/auth/helper.h"
#include "registry/auth/keychain.h"
#include "tests/unit/test.h"

static struct keychain *keychain;

/* Each time with a keychain that knows nothing yet. */
static struct credential_query query(const char *authfile, const char *host,
				     const char *path)
{
	keychain_free(keychain);
	if (keychain_new(&keychain, NULL) < 0)
		exit(1);
	return (struct credential_query){
		.host = host, .path = path, .authfile = authfile, .keychain = keychain};
}

static int find(const char *authfile, const char *host, struct credential *out,
		struct err *e)
{
	struct credential_query q = query(authfile, host, "a");

	return credentials_find(&q, out, e);
}

static char dir[] = "/tmp/peelfs-test-XXXXXX";

static const char *at(const char *name)
{
	static char path[4][512];
	static unsigned turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(at(name), "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0 || chmod(at(name), mode) < 0)
		exit(1);
}

static void test_auths(void)
{
	/* @want: "user:password", "identity", "registry" tokens, or NULL for nobody. */
	static const struct {
		const char *text, *host, *path, *want;
	} rows[] = {
		{"{\"auths\":{\"x.y\":{\"auth\":\"dTpw\"}}}", "x.y", "a", "u:p"},
		{"{\"auths\":{\"x.y\":{\"auth\":\"dTpwOnE=\"}}}", "x.y", "a", "u:p:q"},
		{"{\"auths\":{\"x.y\":{\"auth\":\"dTpwOnE\"}}}", "x.y", "a", "u:p:q"},
		{"{\"auths\":{\"x.y\":{\"auth\":\"dTpwAAA=\"}}}", "x.y", "a", "u:p"},
		{"{\"auths\":{\"x.y\":{\"username\":\"u\",\"password\":\"p\"}}}", "x.y",
		 "a", "u:p"},
		{"{\"auths\":{\"https://x.y/v1/\":{\"auth\":\"dTpw\"}}}", "x.y", "a",
		 "u:p"},
		{"{\"auths\":{\"https://X.y\":{\"auth\":\"dTpw\"}}}", "x.y", "a", "u:p"},
		{"{\"auths\":{\"x.y:5000\":{\"auth\":\"dTpw\"}}}", "x.y", "a", NULL},
		{"{\"auths\":{\"x.y:5000\":{\"auth\":\"dTpw\"}}}", "x.y:5000", "a",
		 "u:p"},
		{"{\"auths\":{\"x.y\":{}}}", "x.y", "a", NULL},
		{"{\"auths\":{\"x.y\":{\"auth\":\"!!\"}}}", "x.y", "a", "?"},
		{"{\"auths\":{\"x.y\":{\"auth\":\"dQ==\"}}}", "x.y", "a", "?"},
		{"{\"auths\":{\"x.y\":{\"auth\":\"dT\\r\\npw\\n\"}}}", "x.y", "a", "u:p"},
		{"{\"auths\":null}", "x.y", "a", NULL},
		{"{\"auths\":{\"x.y\":{\"identitytoken\":\"T\",\"auth\":\"Og==\"}}}",
		 "x.y", "a", "identity T"},
		{"{\"auths\":{\"x.y\":{\"registrytoken\":\"T\"}}}", "x.y", "a",
		 "registry T"},
		/* the longest key wins, and a namespace's is not the host's */
		{"{\"auths\":{\"x.y\":{\"auth\":\"dTpw\"},\"x.y/a/b\":{\"auth\":\"djpx\"}}}",
		 "x.y", "a/b/c", "v:q"},
		{"{\"auths\":{\"x.y\":{\"auth\":\"dTpw\"},\"x.y/a/b\":{\"auth\":\"djpx\"}}}",
		 "x.y", "a/bc", "u:p"},
		{"{\"auths\":{\"x.y/a\":{\"auth\":\"dTpw\"}}}", "x.y", "b", NULL},
		{"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}}",
		 "docker.io", "library/nginx", "u:p"},
		{"{\"auths\":{\"docker.io\":{\"auth\":\"dTpw\"}}}", "docker.io",
		 "library/nginx", "u:p"},
		{"{\"auths\":{\"docker.io/library\":{\"auth\":\"dTpw\"}}}", "docker.io",
		 "library/nginx", "u:p"},
		{"{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}", "docker.io",
		 "a/b", "u:p"},
	};
	struct credential_query q;
	struct credential c;
	char got[100];
	size_t i;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		q = query(NULL, rows[i].host, rows[i].path);
		rc = credentials_in(&q, rows[i].text, strlen(rows[i].text), &c, NULL);
		is_int(rc,
		       !rows[i].want		? -ENOENT
		       : rows[i].want[0] == '?' ? -EACCES
						: 0,
		       "%s for %s", rows[i].text, rows[i].host);
		if (rc < 0)
			continue;
		if (c.identity_token)
			snprintf(got, sizeof(got), "identity %s", c.identity_token);
		else if (c.registry_token)
			snprintf(got, sizeof(got), "registry %s", c.registry_token);
		else
			snprintf(got, sizeof(got), "%s:%s", c.user, c.password);
		is_text(got, rows[i].want, "is found");
		credential_release(&c);
	}
	is_int(credentials_in(&q, "{", 1, &c, NULL), -EBADMSG, "no JSON");
}

static void is_found(const char *authfile, const char *host, const char *want,
		     const char *what)
{
	struct err e = {""};
	struct credential c;

	is_int(find(authfile, host, &c, &e), 0, "%s", what);
	is_text(c.user, want, "as expected (%s)", e.text);
	credential_release(&c);
}

static void test_places(void)
{
	struct credential c;
	struct err e = {""};

	setenv("HOME", dir, 1);
	setenv("XDG_RUNTIME_DIR", at("run"), 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("DOCKER_CONFIG");
	unsetenv("DOCKER_AUTH_CONFIG");
	unsetenv("REGISTRY_AUTH_FILE");
	mkdir(at("run"), 0700);
	mkdir(at("run/containers"), 0700);
	mkdir(at(".docker"), 0700);
	is_found(NULL, "x.y", NULL, "nobody");
	write_file(".dockercfg", "{\"https://x.y\":{\"auth\":\"YTph\"}}", 0600);
	is_found(NULL, "x.y", "a", "~/.dockercfg");
	write_file(".docker/config.json", "{\"auths\":{\"x.y\":{\"auth\":\"Yjph\"}}}",
		   0600);
	is_found(NULL, "x.y", "b", "~/.docker/config.json is before it");
	write_file("run/containers/auth.json", "{\"auths\":{\"z\":{\"auth\":\"Yzph\"}}}",
		   0600);
	is_found(NULL, "x.y", "b", "a file that does not know it is passed over");
	write_file("run/containers/auth.json",
		   "{\"auths\":{\"x.y\":{\"auth\":\"Yzph\"}}}", 0600);
	is_found(NULL, "x.y", "c", "the runtime directory is first");
	setenv("DOCKER_AUTH_CONFIG", "{\"auths\":{\"x.y\":{\"auth\":\"ZDph\"}}}", 1);
	is_found(NULL, "x.y", "d", "but for the variable");
	is_int(find(NULL, "x.y", &c, &e), 0, "which is");
	is_text(c.origin, "$DOCKER_AUTH_CONFIG", "named");
	credential_release(&c);
	write_file("own.json", "{\"auths\":{\"q\":{\"auth\":\"ZTph\"}}}", 0600);
	is_found(at("own.json"), "x.y", NULL, "a file that was named is the only one");
	is_found(at("own.json"), "q", "e", "and is read");
	is_int(find(at("own.json"), "q", &c, &e), 0, "and is");
	is_text(c.origin, at("own.json"), "named");
	credential_release(&c);
	setenv("REGISTRY_AUTH_FILE", at("own.json"), 1);
	is_found(NULL, "q", "e", "also by the variable");
	unsetenv("REGISTRY_AUTH_FILE");
	unsetenv("DOCKER_AUTH_CONFIG");
	is_int(find(at("none.json"), "q", &c, &e), -EACCES, "one that is not there");
	ok(strstr(e.text, "none.json") != NULL, "is named: %s", e.text);
	write_file("own.json", "{", 0600);
	is_int(find(at("own.json"), "q", &c, &e), -EACCES, "one that is no JSON");
	ok(strstr(e.text, "own.json") != NULL, "is named: %s", e.text);
}

static void test_helpers(void)
{
	struct credential c;
	struct err e = {""};
	char path[1024];

	snprintf(path, sizeof(path), "%s:%s", dir, getenv("PATH"));
	setenv("PATH", path, 1);
	write_file(
		"docker-credential-good",
		"#!/bin/sh\nread s\n[ \"$1\" = get ] || exit 9\n"
		"case $s in\n"
		"x.y) echo '{\"ServerURL\":\"x.y\",\"Username\":\"u\",\"Secret\":\"s\"}' ;;\n"
		"token) echo '{\"Username\":\"<token>\",\"Secret\":\"T\"}' ;;\n"
		"https://index.docker.io/v1/) echo '{\"Username\":\"hub\",\"Secret\":\"T\"}' ;;\n"
		"bad) echo no keychain here; exit 1 ;;\n"
		"odd) echo hello ;;\n"
		"*) echo credentials not found in native keychain; exit 1 ;;\nesac\n",
		0700);
	write_file("own.json",
		   "{\"credsStore\":\"good\",\"auths\":{\"f\":{\"auth\":\"ZTph\"}}}",
		   0600);
	is_found(at("own.json"), "x.y", "u", "a helper");
	is_found(at("own.json"), "docker.io", "hub", "is asked for the Hub by its URL");
	is_found(at("own.json"), "unknown", NULL, "may know nobody");
	is_found(at("own.json"), "f", "e", "and then the file counts");
	is_int(find(at("own.json"), "token", &c, &e), 0, "may give a token");
	is_text(c.identity_token, "T", "for the token server");
	snprintf(path, sizeof(path), "docker-credential-good, named in %s",
		 at("own.json"));
	is_text(c.origin, path, "is named with its file");
	credential_release(&c);
	is_int(find(at("own.json"), "bad", &c, &e), -EACCES, "may fail");
	ok(strstr(e.text, "no keychain here") != NULL, "and its words are shown: %s",
	   e.text);
	is_int(find(at("own.json"), "odd", &c, &e), -EACCES, "may talk nonsense");
	write_file("own.json", "{\"credHelpers\":{\"x.y\":\"absent\",\"z\":\"../good\"}}",
		   0600);
	is_int(find(at("own.json"), "x.y", &c, &e), -EACCES, "may not be there");
	ok(strstr(e.text, "docker-credential-absent") != NULL, "and is named: %s",
	   e.text);
	is_int(find(at("own.json"), "z", &c, &e), -EACCES, "must not be a path");
	is_found(at("own.json"), "q", NULL, "is only for its registry");
}

/* A helper is run once for a host, unless it is to be asked anew. */
static void test_keychain(void)
{
	struct credential_query q;
	struct credential c;
	struct err e = {""};
	char file[512];
	int i;

	snprintf(file, sizeof(file), "%s", at("own.json"));
	q = query(file, "x.y", "a");
	write_file("own.json", "{\"credsStore\":\"count\"}", 0600);
	write_file("docker-credential-count",
		   "#!/bin/sh\nread s\ncd \"$HOME\"\necho x >> runs\n"
		   "[ $s = nobody ] && echo credentials not found in keychain && exit 1\n"
		   "[ $s = broken ] && echo no && exit 1\n"
		   "echo '{\"Username\":\"u'$(wc -l < runs)'\",\"Secret\":\"s\"}'\n",
		   0700);
	for (i = 0; i < 2; i++) {
		is_int(credentials_find(&q, &c, &e), 0, "is asked %s", e.text);
		is_text(c.user, "u1", "once");
		credential_release(&c);
	}
	q.path = "another";
	is_int(credentials_find(&q, &c, &e), 0, "for all of a host");
	is_text(c.user, "u1", "so it is");
	credential_release(&c);
	q.anew = true;
	is_int(credentials_find(&q, &c, &e), 0, "and again");
	is_text(c.user, "u2", "when it is to be");
	credential_release(&c);
	q = (struct credential_query){.host = "nobody",
				      .path = "a",
				      .authfile = q.authfile,
				      .keychain = keychain};
	for (i = 0; i < 2; i++)
		ok(credentials_find(&q, &c, &e) == 0 && credential_is_empty(&c),
		   "nobody is kept");
	q.host = "broken";
	for (i = 0; i < 2; i++)
		is_int(credentials_find(&q, &c, &e), -EACCES, "a failure is not");
	q.host = "last";
	is_int(credentials_find(&q, &c, &e), 0, "so that the helper");
	is_text(c.user, "u6", "ran for 2, for nobody once, twice and now");
	credential_release(&c);
}

/* credential-helpers of registries.conf: programs in place of the files, before or behind. */
static void test_configured(void)
{
	static char *const both[] = {(char *)"absent", (char *)"containers-auth.json",
				     (char *)"good"};
	struct credential_query q;
	struct credential c;
	struct err e = {""};

	q = query(NULL, "docker.io", "a");
	q.helpers = both;
	q.n_helpers = 3;
	write_file("run/containers/auth.json", "{\"auths\":{\"z\":{\"auth\":\"Yzph\"}}}",
		   0600);
	is_int(credentials_find(&q, &c, &e), 0, "a helper behind the files");
	is_text(c.user, "hub", "knows it");
	credential_release(&c);
	q.host = "z";
	is_int(credentials_find(&q, &c, &e), 0, "the files, before it");
	is_text(c.user, "c", "know it");
	credential_release(&c);
	q.helpers = both + 2;
	q.n_helpers = 1;
	ok(credentials_find(&q, &c, &e) == 0 && credential_is_empty(&c),
	   "are not asked alone");
	q.helpers = both;
	is_int(credentials_find(&q, &c, &e), -EACCES, "one that is not there");
	ok(strstr(e.text, "absent") != NULL, "is named if nobody else knows: %s", e.text);
	q.authfile = "/dev/null";
	ok(credentials_find(&q, &c, &e) == 0 && credential_is_empty(&c),
	   "with a file that was named they are not asked");
}

static void test_helper(void)
{
	static const char *const sleeper[] = {"sh", "-c", "sleep 100 & sleep 100", NULL};
	static const char *const closer[] = {"sh", "-c", "exec >&-; sleep 100", NULL};
	static const char *const deaf[] = {"sh", "-c", "echo hi; exit 3", NULL};
	static const char *const endless[] = {"yes", NULL};
	struct err e;
	struct buf b;
	int status = 0;

	buf_init(&b, 100);
	is_int(helper_run(sleeper, "", 1, &b, &status, &e), -ETIMEDOUT,
	       "one that hangs is killed");
	is_int(helper_run(closer, "", 1, &b, &status, &e), -ETIMEDOUT,
	       "also with its output closed");
	is_int(helper_run(endless, "", 5, &b, &status, &e), -E2BIG,
	       "one that talks without end too");
	buf_clear(&b);
	is_int(helper_run(deaf, "unread", 5, &b, &status, &e), 0, "one need not read");
	is_int(status, 3, "its status");
	is_text(buf_text(&b), "hi\n", "its output");
	buf_release(&b);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(dir))
		return 1;
	test_auths();
	test_places();
	test_helpers();
	test_keychain();
	test_configured();
	keychain_free(keychain);
	test_helper();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || test_done();
}
