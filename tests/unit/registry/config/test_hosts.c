/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/config/hosts.h"
#include "registry/config/hosts_toml.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/peelfs-test-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[512], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (slash = path + strlen(dir) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

/* Where @text is asked: "BASE PREFIX PATH[ flags]; ..." or "error N". */
static const char *asked(const char *text, bool insecure)
{
	static char out[2000];
	struct reference ref;
	struct endpoints es = {0};
	struct hosts *h = NULL;
	struct err e = {""};
	struct buf b;
	size_t i, j;
	int rc = reference_parse(text, &ref, &e);

	if (rc == 0)
		rc = hosts_new(NULL, insecure, &h, &e);
	if (rc == 0)
		rc = hosts_find(h, &ref, &es, &e);
	buf_init(&b, sizeof(out) - 1);
	if (rc < 0)
		buf_printf(&b, "error %d: %s", rc, e.text);
	for (i = 0; rc == 0 && i < es.n; i++) {
		const struct endpoint *ep = &es.list[i];

		buf_printf(&b, "%s%s%s/%s%s%s%s%s%s%s%s%s", i ? "; " : "", ep->base,
			   ep->prefix, ep->path, ep->is_guess ? " guess" : "",
			   ep->tls.insecure ? " any" : "", ep->stands_for ? " ns" : "",
			   ep->no_tags ? " notags" : "", ep->tls.ca_pem ? " ca" : "",
			   ep->tls.cert_file ? " client" : "",
			   ep->tls.connect_ms ? " dial" : "", ep->tls.headers ? " " : "");
		for (j = 0; ep->tls.headers && ep->tls.headers[j]; j++)
			buf_printf(&b, "[%s]", ep->tls.headers[j]);
	}
	snprintf(out, sizeof(out), "%s", buf_text(&b));
	buf_release(&b);
	endpoints_release(&es);
	hosts_free(h);
	return out;
}

static void test_plain(void)
{
	is_text(asked("nginx", false), "https://registry-1.docker.io/v2/library/nginx",
		"the Hub");
	is_text(asked("x.y/a", false), "https://x.y/v2/a", "a registry");
	is_text(asked("x.y/a", true), "https://x.y/v2/a any; http://x.y/v2/a guess any",
		"insecure");
	is_text(asked("localhost:5000/a", false),
		"http://localhost:5000/v2/a; https://localhost:5000/v2/a guess",
		"loopback");
	is_text(asked("[::1]:5000/a", false),
		"http://[::1]:5000/v2/a; https://[::1]:5000/v2/a guess",
		"of the other family");
	is_text(asked("127.0.0.1:443/a", false), "https://127.0.0.1:443/v2/a",
		"its TLS port");
}

static void test_registries_conf(void)
{
	write_file(
		".config/containers/registries.conf",
		"[[registry]]\nprefix='x.y'\nlocation='in.x.y'\n"
		"[[registry.mirror]]\nlocation='m1/x'\n"
		"[[registry.mirror]]\nlocation='m2'\npull-from-mirror='digest-only'\ninsecure=true\n"
		"[[registry]]\nprefix='bad.y'\nblocked=true\n"
		"[[registry]]\nprefix='odd.y'\nlocation='no host/Q'\n");
	is_text(asked("x.y/a:t", false), "https://m1/v2/x/a; https://in.x.y/v2/a",
		"mirrors first");
	is_text(asked("x.y/a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		      false),
		"https://m1/v2/x/a; https://m2/v2/a any; http://m2/v2/a guess any; https://in.x.y/v2/a",
		"some only by digest");
	ok(strstr(asked("bad.y/a", false), "error -13") != NULL, "blocked: %s",
	   asked("bad.y/a", false));
	ok(strstr(asked("odd.y/a", false), "error -22") != NULL, "nonsense: %s",
	   asked("odd.y/a", false));
	is_text(asked("q.y/a", false), "https://q.y/v2/a", "others are not touched");
}

/* A hosts.toml that is refused with @word in the sentence; NULL: it is not. */
static void is_wrong(const char *text, const char *word)
{
	struct hosts_toml ht;
	struct err e = {""};
	int rc = hosts_toml_parse(text, strlen(text), "/", &ht, &e);

	is_int(rc, word ? -EINVAL : 0, "%s", text);
	if (rc == 0)
		hosts_toml_release(&ht);
	else
		ok(strstr(e.text, word) != NULL, "says: %s", e.text);
}

static void test_hosts_toml(void)
{
	write_file(
		".config/containerd/certs.d/t.y_5000_/hosts.toml",
		"server = 'https://t.y:5000'\n"
		"[host.\"https://mirror/hub\"]\ncapabilities=['pull']\nskip_verify=true\nca='root.crt'\n"
		"[host.\"http://push.only\"]\ncapabilities=['push']\n"
		"[host.\"http://10.0.0.1:80/raw/v2\"]\noverride_path=true\n"
		"client=[['c.cert','c.key']]\n");
	write_file(".config/containerd/certs.d/t.y_5000_/root.crt",
		   "-----BEGIN CERTIFICATE-----\n");
	is_text(asked("t.y:5000/a", false),
		"https://mirror/hub/v2/a any ns notags ca; http://10.0.0.1:80/raw/v2/a ns client; "
		"https://t.y:5000/v2/a",
		"in the file's order, the server last");
	write_file(".config/containerd/certs.d/u.y/hosts.toml", "[host.mirror]\n");
	is_text(asked("u.y/a", false), "https://mirror/v2/a ns; https://u.y/v2/a",
		"the registry itself without a server");
	write_file(".config/containerd/certs.d/w.y/hosts.toml",
		   "skip_verify=true\ndial_timeout='1m30s'\n[header]\nx-own='1'\n"
		   "[host.\"https://m\"]\ndial_timeout='200ms'\n"
		   "[host.\"https://m\".header]\nx-one='a b'\nx-two=['c', 'd']\n");
	is_text(asked("w.y/a", false),
		"https://m/v2/a ns dial [x-one: a b][x-two: c][x-two: d]; "
		"https://w.y/v2/a any dial [x-own: 1]",
		"headers and patience, of a mirror and of the registry itself");
	is_text(asked("w.y/a", true),
		"https://m/v2/a any ns dial [x-one: a b][x-two: c][x-two: d]; "
		"https://w.y/v2/a any dial [x-own: 1]; http://w.y/v2/a guess any dial [x-own: 1]",
		"in both schemes");
	write_file(
		".config/containerd/certs.d/w.y/hosts.toml",
		"server='https://s.y'\nca='../t.y_5000_/root.crt'\n[header]\nx-own='1'\n");
	is_text(asked("w.y/a", false), "https://s.y/v2/a ns ca [x-own: 1]",
		"of a server by name");
	is_wrong("dial_timeout='soon'\n", "soon");
	is_wrong("dial_timeout='5'\n", "dial_timeout");
	is_wrong("dial_timeout='-5s'\n", "dial_timeout");
	is_wrong("[header]\n'a b'='c'\n", "a b");
	is_wrong("[header]\na='b\\r\\nc: d'\n",
		 NULL); /* as it stands: no escapes in these */
	is_wrong("[header]\na=\"b\\r\\nc: d\"\n", "header");
	write_file(".config/containerd/certs.d/v.y/hosts.toml", "[host.\"ftp://x\"]\n");
	ok(strstr(asked("v.y/a", false), "error -22") &&
		   strstr(asked("v.y/a", false), "ftp://x"),
	   "nonsense: %s", asked("v.y/a", false));
}

static void test_certificates(void)
{
	write_file(".config/containers/certs.d/c.y:5000/ca.crt",
		   "-----BEGIN CERTIFICATE-----\n");
	write_file(".config/containers/certs.d/c.y:5000/me.cert", "x");
	ok(strstr(asked("c.y:5000/a", false), "no .key file"), "half a pair: %s",
	   asked("c.y:5000/a", false));
	write_file(".config/containers/certs.d/c.y:5000/me.key", "x");
	is_text(asked("c.y:5000/a", false), "https://c.y:5000/v2/a ca client",
		"a root and a pair");
	is_text(asked("c.y/a", false), "https://c.y/v2/a", "are for that port");
	write_file(".config/containers/certs.d/d.y/ca.crt", "no certificate\n");
	ok(strstr(asked("d.y/a", false), "error -22") != NULL, "nonsense: %s",
	   asked("d.y/a", false));
}

int main(void)
{
	char command[64];

	if (!mkdtemp(dir))
		return 1;
	setenv("HOME", dir, 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("CONTAINERS_REGISTRIES_CONF");
	write_file(".config/containers/registries.conf", ""); /* not the machine's */
	test_plain();
	test_registries_conf();
	test_hosts_toml();
	test_certificates();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || test_done();
}
