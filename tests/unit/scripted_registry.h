/* SPDX-License-Identifier: MIT */
/* A registry on loopback whose answers a test sets, and clients of it. */
#ifndef TESTS_UNIT_SCRIPTED_REGISTRY_H
#define TESTS_UNIT_SCRIPTED_REGISTRY_H

#include <signal.h>

#include "base/err.h"
#include "registry/image/document_kind.h"
#include "registry/image/manifest.h"
#include "registry/image_source.h"
#include "registry/remote/client.h"
#include "tests/unit/test.h"
#include "tests/unit/web.h"

/* What the registry does; set while nothing is asked. */
static struct {
	enum { BY_LINK, BY_LAST, AT_ONCE, ROUND, NO_LIST } pages;
	size_t n_names;
	int status;	 /* of everything, if not 0 */
	int head_status; /* of HEAD, if not 0 */
	bool no_digest;
	bool tokens;	 /* Bearer, from /token */
	bool no_tokens;	 /* but not any more, and they are not needed */
	unsigned breaks; /* so many answers to lists are broken off */
	enum { NO_API, API, WEB_PAGE, OLD } referrers;
	bool cosign; /* a signature at its tag, and an index where an SBOM would be */
} how;

static unsigned n_asked, n_tokens, n_indexes, n_heads, n_cosign;
static struct web web;

/* Configs of two images, their manifests, the index; an artifact. */
#define N_DOCUMENTS 6
static char documents[N_DOCUMENTS][1400];
static char digests[N_DOCUMENTS][DIGEST_TEXT_MAX];

static const char *digest_text(const char *text, char *out)
{
	struct digest d;

	if (digest_of(DIGEST_SHA256, text, strlen(text), &d) < 0)
		exit(77);
	return digest_format(&d, out);
}

static void add_document(size_t i, const char *text)
{
	snprintf(documents[i], sizeof(documents[i]), "%s", text);
	digest_text(text, digests[i]);
}

static void make_documents(void)
{
	static const char *const arch[2] = {"amd64", "arm64"};
	char text[1400], digest[DIGEST_TEXT_MAX];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(
			text, sizeof(text),
			"{\"os\":\"linux\",\"architecture\":\"%s\",\"rootfs\":{\"diff_ids\":[]}}",
			arch[i]);
		add_document(i, text);
		snprintf(
			text, sizeof(text),
			"{\"config\":{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":\"%s\"},"
			"\"layers\":[]}",
			MEDIA_OCI_CONFIG, strlen(documents[i]), digests[i]);
		add_document(2 + i, text);
	}
	snprintf(
		text, sizeof(text),
		"{\"manifests\":["
		"{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":\"%s\",\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"amd64\"}},"
		"{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":\"%s\",\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"arm64\"}},"
		"{\"mediaType\":\"%s\",\"size\":9,\"digest\":\"%s\",\"platform\":{\"os\":"
		"\"unknown\",\"architecture\":\"unknown\"},"
		"\"annotations\":{\"vnd.docker.reference.digest\":\"%s\"}}]}",
		MEDIA_OCI_MANIFEST, strlen(documents[2]), digests[2], MEDIA_OCI_MANIFEST,
		strlen(documents[3]), digests[3], MEDIA_OCI_MANIFEST, digests[0],
		digests[3]);
	add_document(4, text);
	snprintf(
		text, sizeof(text),
		"{\"config\":{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"size\":2,"
		"\"digest\":\"%s\",\"data\":\"e30=\"},\"artifactType\":\"type/1\",\"layers\":["
		"{\"mediaType\":\"text/plain\",\"size\":4,\"digest\":\"%s\",\"annotations\":"
		"{\"org.opencontainers.image.title\":\"a.txt\"}}],\"annotations\":"
		"{\"org.opencontainers.image.created\":\"2001-09-09T01:46:40Z\"}}",
		digest_text("{}", digest), digests[0]);
	add_document(5, text);
}

/* Lists */

static void give_names(const char *path, struct buf *out)
{
	bool tags = strstr(path, "/tags/list") != NULL;
	const char *n = strstr(path, "n="), *last = strstr(path, "last=");
	size_t most = n ? strtoul(n + 2, NULL, 10) : SIZE_MAX, first = 0, i, end;
	char link[200] = "";
	struct buf body;

	if (last && how.pages != AT_ONCE && how.pages != ROUND)
		first = strtoul(last + 5 + strcspn(last + 5, "0123456789"), NULL, 10) + 1;
	if (how.pages == AT_ONCE)
		most = how.n_names;
	end = how.n_names - first < most ? how.n_names : first + most;
	buf_init(&body, 16 << 20);
	buf_printf(&body, "{\"%s\":[", tags ? "tags" : "repositories");
	for (i = first; i < end; i++)
		buf_printf(&body, "%s\"name%zu\"", i > first ? "," : "", i);
	buf_append_text(&body, how.pages == NO_LIST ? "" : "]}");
	if (how.pages == BY_LINK && end < how.n_names)
		snprintf(link, sizeof(link),
			 "Link: <%s?n=%zu&last=name%zu>; rel=\"next\"\r\n",
			 tags ? "/v2/a/tags/list"
			      : "http://elsewhere.invalid/v2/_catalog",
			 most, end - 1);
	if (how.pages == ROUND)
		snprintf(link, sizeof(link), "Link: <%s?turn=%zu>; rel=\"next\"\r\n",
			 "/v2/a/tags/list", (size_t)n_asked % 2);
	web_give(out, 200, link, buf_text(&body));
	if (how.breaks > 0) {
		how.breaks--;
		out->len -= body.len / 2;
	}
	buf_release(&body);
}

static void give_document(const char *path, struct buf *out)
{
	const char *media = MEDIA_OCI_MANIFEST, *name = strrchr(path, '/') + 1;
	char fields[300];
	size_t i;

	for (i = 0; i < N_DOCUMENTS; i++) {
		if (strcmp(name, digests[i]) == 0 || (i == 4 && strcmp(name, "t") == 0))
			break;
	}
	if (i == N_DOCUMENTS) {
		web_give(out, 404, "", "{}");
		return;
	}
	n_indexes += i == 4;
	if (i == 4)
		media = MEDIA_OCI_INDEX;
	snprintf(fields, sizeof(fields), "Content-Type: %s\r\n%s%s%s", media,
		 how.no_digest ? "" : "Docker-Content-Digest: ",
		 how.no_digest ? "" : digests[i], how.no_digest ? "" : "\r\n");
	web_give(out, 200, fields, documents[i]);
}

/* Three referrers on two pages, or all at the tag; the artifact is the second. */
static void give_referrers(const char *path, struct buf *out)
{
	bool tag = strstr(path, "/manifests/") != NULL,
	     second = strstr(path, "page=2") != NULL;
	struct buf body;
	size_t i;

	if (how.referrers == WEB_PAGE && !tag) {
		web_give(out, 200, "Content-Type: text/html\r\n", "<html>welcome</html>");
		return;
	}
	if (how.referrers == NO_API || (how.referrers != API && !tag)) {
		web_give(out, 404, "", "{}");
		return;
	}
	buf_init(&body, 4096);
	buf_append_text(&body, "{\"manifests\":[");
	for (i = second ? 2 : 0; i < (second || tag ? 3 : 2); i++)
		buf_printf(&body,
			   "%s{\"mediaType\":\"%s\",\"size\":%zu,\"digest\":\"%s\","
			   "\"artifactType\":\"type/%zu\"}",
			   i % 2 ? "," : "", MEDIA_OCI_MANIFEST, strlen(documents[5]),
			   digests[5], i);
	if (tag)
		body.len = (size_t)(strrchr(body.data, '{') -
				    body.data); /* two will do */
	while (body.data[body.len - 1] == ',')
		body.len--;
	body.data[body.len] = '\0';
	buf_append_text(&body, "]}");
	web_give(out, 200,
		 second || tag ? "" : "Link: <https://x.invalid/z?page=2>; rel=next\r\n",
		 buf_text(&body));
	buf_release(&body);
}

static bool ends(const char *text, const char *end)
{
	return strlen(text) > strlen(end) &&
	       strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void give_cosign(const char *path, struct buf *out)
{
	bool is_index = ends(path, ".sbom");

	n_cosign++;
	if (!how.cosign || ends(path, ".att"))
		web_give(out, 404, "", "{}");
	else
		web_give(out, 200,
			 is_index ? "Content-Type: " MEDIA_OCI_INDEX "\r\n"
				  : "Content-Type: " MEDIA_OCI_MANIFEST "\r\n",
			 documents[is_index ? 4 : 5]);
}

static void answer(void *arg, const struct web_request *rq, struct buf *out)
{
	char challenge[200];

	(void)arg;
	n_asked++;
	n_heads += rq->head;
	snprintf(
		challenge, sizeof(challenge),
		"WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%u/token\",service=\"s\"\r\n",
		web.port);
	if (strncmp(rq->path, "/token", 6) == 0 && how.no_tokens) {
		web_give(out, 403, "", "{}");
	} else if (strncmp(rq->path, "/token", 6) == 0) {
		n_tokens++;
		web_give(out, 200, "", "{\"token\":\"secret\"}");
	} else if (how.tokens && !how.no_tokens &&
		   !strstr(rq->fields, "Authorization: Bearer secret")) {
		web_give(out, 401, challenge, "{}");
	} else if (how.status || (rq->head && how.head_status)) {
		web_give(out, how.status ? how.status : how.head_status,
			 how.status == 401 ? challenge : "", "{}");
	} else if (ends(rq->path, ".sig") || ends(rq->path, ".att") ||
		   ends(rq->path, ".sbom")) {
		give_cosign(rq->path, out);
	} else if (strstr(rq->path, "/referrers/") || strstr(rq->path, "/sha256-")) {
		give_referrers(rq->path, out);
	} else if (strstr(rq->path, "/tags/list") || strstr(rq->path, "/_catalog")) {
		give_names(rq->path, out);
	} else {
		give_document(rq->path, out);
	}
}

__attribute__((unused)) static struct client *client_start(void)
{
	struct client_options options = {.timeout = 10};
	struct client *c = NULL;
	struct err e = {""};

	if (client_new(&options, NULL, &c, &e) < 0)
		exit(1);
	n_asked = n_tokens = n_indexes = n_heads = 0;
	return c;
}

__attribute__((unused)) static struct image_source *start(struct client *c,
							  const char *rest)
{
	struct image_source *o = NULL;
	struct err e = {""};
	char name[200];

	snprintf(name, sizeof(name), "127.0.0.1:%u/%s", web.port, rest);
	if (!is_int(image_source_open(name, c, &o, &e), 0, "%s is opened", rest))
		exit(1);
	return o;
}

static void registry_start(void)
{
	signal(SIGPIPE, SIG_IGN);
	setenv("HOME", "/nonexistent", 1);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	make_documents();
	web_start(&web, answer, NULL);
}

#endif
