/* SPDX-License-Identifier: MIT */
/* A repository and a host as a client sees them, on a registry that is scripted. */
#include <errno.h>
#include <signal.h>

#include "base/err.h"
#include "registry/remote/client.h"
#include "registry/image/manifest.h"
#include "registry/image/document_kind.h"
#include "registry/image_source.h"
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

/* Asking */

struct seen {
	size_t n, stop_at;
	bool in_order;
};

static int on_name(void *arg, const char *name)
{
	struct seen *s = arg;
	char want[40];

	snprintf(want, sizeof(want), "name%zu", s->n);
	s->in_order &= strcmp(name, want) == 0;
	return ++s->n == s->stop_at ? -ECANCELED : 0;
}

static struct client *client_start(void)
{
	struct client_options options = {.timeout = 10};
	struct client *c = NULL;
	struct err e = {""};

	if (client_new(&options, NULL, &c, &e) < 0)
		exit(1);
	n_asked = n_tokens = n_indexes = n_heads = 0;
	return c;
}

static struct image_source *start(struct client *c, const char *rest)
{
	struct image_source *o = NULL;
	struct err e = {""};
	char name[200];

	snprintf(name, sizeof(name), "127.0.0.1:%u/%s", web.port, rest);
	if (!is_int(image_source_open(name, c, &o, &e), 0, "%s is opened", rest))
		exit(1);
	return o;
}

static void test_lists(void)
{
	static const struct {
		int pages;
		size_t n;
		unsigned breaks;
		int status, rc;
		size_t told;
		unsigned asked; /* 0: not counted */
		const char *what;
	} rows[] = {
		{BY_LINK, 3, 0, 0, 0, 3, 1, "one page"},
		{BY_LINK, 0, 0, 0, 0, 0, 1, "none"},
		{BY_LINK, 10000, 0, 0, 0, 10000, 10, "ten pages by their links"},
		{BY_LINK, 2500, 2, 0, 0, 2500, 5, "two of them broken off"},
		{BY_LAST, 2500, 0, 0, 0, 2500, 3, "pages without links"},
		{BY_LAST, 2000, 0, 0, 0, 2000, 3, "and the last of them full"},
		{AT_ONCE, 2500, 0, 0, 0, 2500, 1, "all at once"},
		{AT_ONCE, 1000, 0, 0, 0, 1000, 2, "as many as a page has"},
		{ROUND, 5, 0, 0, 0, 5, 2, "links in a circle"},
		{NO_LIST, 5, 0, 0, -EBADMSG, 0, 1, "no JSON"},
		{BY_LINK, 5, 0, 404, -ENOENT, 0, 1, "no such repository"},
		{BY_LINK, 5, 0, 403, -EACCES, 0, 1, "refused"},
		{BY_LINK, 5, 0, 405, -ENOTSUP, 0, 1, "not offered"},
	};
	struct client *c;
	struct image_source *o;
	char host[40];
	size_t i;

	snprintf(host, sizeof(host), "127.0.0.1:%u", web.port);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen tags = {.in_order = true}, repositories = {.in_order = true};
		struct err e = {""};

		memset(&how, 0, sizeof(how));
		how.pages = rows[i].pages;
		how.n_names = rows[i].n;
		how.breaks = rows[i].breaks;
		how.status = rows[i].status;
		c = client_start();
		o = start(c, "a");
		is_int(image_source_tags(o, on_name, &tags, &e), rows[i].rc, "%s %s",
		       rows[i].what, e.text);
		ok(tags.n == rows[i].told && tags.in_order, "all are told, once");
		if (rows[i].asked)
			is_int(n_asked, rows[i].asked, "requests");
		is_int(image_source_catalog(c, host, on_name, &repositories, &e),
		       rows[i].status ? -ENOTSUP : rows[i].rc, "as a catalog %s", e.text);
		ok(repositories.n == rows[i].told && repositories.in_order,
		   "the same names");
		image_source_close(o);
		client_free(c);
	}
}

static void test_list_stops(void)
{
	struct seen seen = {.in_order = true, .stop_at = 1500};
	struct client *c = client_start();
	struct image_source *o = start(c, "a");

	memset(&how, 0, sizeof(how));
	how.n_names = 5000;
	is_int(image_source_tags(o, on_name, &seen, NULL), -ECANCELED,
	       "who has enough is obeyed");
	is_int(seen.n, 1500, "at once");
	is_int(n_asked, 2, "and no more is asked");
	how.status = 401;
	is_int(image_source_catalog(c, "no host/", on_name, &seen, NULL), -EINVAL,
	       "no host");
	image_source_close(o);
	client_free(c);
}

static void test_tag_digest(void)
{
	static const struct {
		const char *name;
		int head_status;
		bool no_digest;
		int status, rc;
		unsigned asked;
		const char *what;
	} rows[] = {
		{"a:t", 0, false, 0, 0, 1, "by HEAD"},
		{"a:t", 0, true, 0, 0, 2, "HEAD that tells no digest"},
		{"a:t", 405, false, 0, 0, 2, "HEAD refused"},
		{"a:t", 501, true, 0, 0, 2, "HEAD unknown"},
		{"a:u", 0, false, 0, -ENOENT, 1, "no such tag"},
		{"a:t", 0, false, 403, -EACCES, 1, "refused"},
	};
	struct digest want, got;
	struct client *c = client_start();
	struct image_source *o;
	char name[200];
	size_t i;

	if (digest_parse(digests[4], strlen(digests[4]), &want) < 0)
		exit(1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};

		memset(&how, 0, sizeof(how));
		how.head_status = rows[i].head_status;
		how.no_digest = rows[i].no_digest;
		how.status = rows[i].status;
		o = start(c, rows[i].name);
		n_asked = 0;
		is_int(image_source_tag_digest(o, &got, &e), rows[i].rc, "%s %s",
		       rows[i].what, e.text);
		if (rows[i].rc == 0)
			ok(digest_equal(&got, &want), "the digest");
		is_int(n_asked, rows[i].asked, "requests");
		image_source_close(o);
	}
	memset(&how, 0, sizeof(how));
	snprintf(name, sizeof(name), "a:t@%s", digests[4]);
	o = start(c, name);
	n_asked = 0;
	is_int(image_source_tag_digest(o, &got, NULL), 0, "of a digest");
	ok(digest_equal(&got, &want) && n_asked == 0, "nothing is asked");
	image_source_close(o);
	client_free(c);
}

static void test_entries(void)
{
	struct platform amd = {.os = "linux", .arch = "amd64"};
	struct image *img = NULL, *other = NULL, *again = NULL;
	struct client *c = client_start();
	struct image_source *o = start(c, "a:t");
	struct err e = {""};

	memset(&how, 0, sizeof(how));
	is_int(image_source_resolve(o, &amd, &img, &e), 0, "the image %s", e.text);
	if (!img)
		exit(1);
	is_int(img->n_platforms, 1, "there is another");
	is_int(image_source_resolve_entry(o, &img->platforms[0], &other, &e), 0,
	       "which is had %s", e.text);
	is_text(other ? other->platform.arch : "", "arm64", "and is the other");
	if (other && is_int(other->n_platforms, 1, "with the first beside it"))
		is_int(image_source_resolve_entry(o, &other->platforms[0], &again, &e), 0,
		       "and back %s", e.text);
	is_text(again ? again->platform.arch : "", "amd64", "to the first");
	is_int(n_indexes, 1, "the index is asked once");
	ok(again && other && other->has_index && again->index.len == img->index.len,
	   "and is part of each");
	image_free(img);
	image_free(other);
	image_free(again);
	image_source_close(o);
	client_free(c);
}

static void test_entry_alone(void)
{
	struct platform arm = {.os = "linux", .arch = "arm64"};
	struct image *img = NULL, *again = NULL;
	struct client *c = client_start();
	struct err e = {""};
	struct image_source *o;
	char name[200];

	snprintf(name, sizeof(name), "a@%s", digests[3]);
	o = start(c, name);
	is_int(image_source_resolve(o, &arm, &img, &e), 0, "an image without an index %s",
	       e.text);
	if (!img)
		exit(1);
	is_int(image_source_resolve_entry(o, &img->manifest_descriptor, &again, &e), 0,
	       "is had again");
	ok(again && !again->has_index, "and has none");
	image_free(again);
	again = NULL;
	if (digest_parse(digests[2], strlen(digests[2]),
			 &img->manifest_descriptor.digest) < 0)
		exit(1);
	is_int(image_source_resolve_entry(o, &img->manifest_descriptor, &again, &e), 0,
	       "another of the repository %s", e.text);
	is_text(again ? again->platform.arch : "", "amd64", "is that");
	img->manifest_descriptor.digest.bytes[0] ^= 1;
	is_int(image_source_resolve_entry(o, &img->manifest_descriptor, &again, &e),
	       -ENOENT, "one that is not there");
	image_free(img);
	image_free(again);
	image_source_close(o);
	client_free(c);
}

struct match {
	char types[100];
	struct descriptor artifact; /* digest and size alone */
};

static int on_referrer(void *arg, const struct descriptor *d)
{
	struct match *f = arg;

	strcat(f->types, d->artifact_type ? d->artifact_type : "?");
	strcat(f->types, " ");
	f->artifact.digest = d->digest;
	f->artifact.size = d->size;
	return 0;
}

static void test_referrers(void)
{
	static const struct {
		int how;
		const char *type, *want;
		bool cosign;
	} rows[] = {
		{API, NULL, "type/0 type/1 type/2 ", false},
		{API, NULL, "type/0 type/1 type/2 type/1 ", true},
		{NO_API, NULL, "type/1 ", true},
		{NO_API, "type/1", "type/1 ", true},
		{NO_API, "type/9", "", true},
		{API, "type/1", "type/1 ", false},
		{API, "type/9", "", false},
		{OLD, NULL, "type/0 type/1 ", false},
		{WEB_PAGE, "type/1", "type/1 ", false},
		{NO_API, NULL, "", false},
	};
	struct client *c = client_start();
	struct match own = {.types = ""};
	struct digest of;
	struct image_source *o;
	char name[200];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct match f = {.types = ""};
		struct image *img = NULL;
		struct err e = {""};

		memset(&how, 0, sizeof(how));
		how.referrers = rows[i].how;
		how.cosign = rows[i].cosign;
		snprintf(name, sizeof(name), "a@%s", digests[3]);
		o = start(c, name);
		if (digest_parse(digests[3], strlen(digests[3]), &of) < 0)
			exit(1);
		n_asked = n_cosign = 0;
		is_int(image_source_referrers(o, &of, rows[i].type, on_referrer, &f, &e),
		       0, "%s", e.text);
		is_text(f.types, rows[i].want, "those of type %s",
			rows[i].type ? rows[i].type : "any");
		is_int(n_cosign, 3, "each tag of cosign's is asked for once");
		is_int(n_asked, 6, "requests, one for the image, two for the list");
		if (f.artifact.size > 0) {
			is_int(image_source_resolve_entry(o, &f.artifact, &img, &e), 0,
			       "one of them %s", e.text);
			ok(img && img->is_artifact && img->n_layers == 1 &&
				   img->config.len == 2,
			   "is an artifact");
			ok(img && img->has_created && img->created == 1000000000,
			   "of some age");
			is_text(img ? descriptor_annotation(
					      &img->layers[0],
					      "org.opencontainers.image.title")
				    : NULL,
				"a.txt", "its blob has a name");
			is_int(img ? image_must_have_files(img, &e) : 0, -ENOTSUP,
			       "and can be refused: %s", e.text);
		}
		image_free(img);
		image_source_close(o);
	}
	memset(&how, 0, sizeof(how));
	how.referrers = OLD;
	o = start(c, "a:t");
	if (digest_parse(digests[3], strlen(digests[3]), &of) < 0)
		exit(1);
	is_int(image_source_referrers(o, &of, NULL, on_referrer, &own, NULL), 0,
	       "of an index");
	is_text(own.types, "? type/0 type/1 ", "its own is among them");
	image_source_close(o);
	client_free(c);
}

static void test_sharing(void)
{
	struct client *c = client_start();
	struct image_source *one, *two;
	struct digest d;
	unsigned i;

	memset(&how, 0, sizeof(how));
	how.tokens = true;
	one = start(c, "a:t");
	is_int(image_source_tag_digest(one, &d, NULL), 0, "one");
	two = start(c, "a:t");
	is_int(image_source_tag_digest(two, &d, NULL), 0, "two of one repository");
	image_source_close(one);
	image_source_close(two);
	is_int(n_tokens, 1, "need one token");
	n_asked = 0;
	two = start(c, "a:t");
	is_int(image_source_tag_digest(two, &d, NULL), 0, "and who comes later");
	is_int(n_asked, 1, "asks no more than that");
	image_source_close(two);
	n_asked = 0;
	two = start(c, "another:t");
	is_int(image_source_tag_digest(two, &d, NULL), 0, "another repository");
	is_int(n_asked, 2, "is supposed to want the like");
	image_source_close(two);
	how.no_tokens = true;
	n_asked = 0;
	two = start(c, "public:t");
	is_int(image_source_tag_digest(two, &d, NULL), 0, "one for which there are none");
	is_int(n_asked, 2, "is asked then");
	image_source_close(two);
	how.no_tokens = false;
	n_tokens = 1;
	for (i = 0; i < 200; i++) {
		char name[20];

		snprintf(name, sizeof(name), "b%u:t", i);
		one = start(c, name);
		is_int(image_source_tag_digest(one, &d, NULL), 0,
		       "others have their own");
		image_source_close(one);
	}
	is_int(n_tokens, 201, "a token for each");
	client_free(c);
}

static void test_probe(void)
{
	static const struct {
		int status, rc;
	} rows[] = {
		{0, 0}, {404, -ENOENT}, {401, -EACCES}, {403, -EACCES}, {410, -ENOENT}};
	struct client *c = client_start();
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_source *o = start(c, "a");
		struct err e = {""};

		memset(&how, 0, sizeof(how));
		how.status = rows[i].status;
		is_int(image_source_probe(o, &e), rows[i].rc, "%d: %s", rows[i].status,
		       e.text);
		image_source_close(o);
	}
	client_free(c);
}

/* What is no source is told in a sentence that says what is one. */
static void test_other_forms(void)
{
	static const struct {
		const char *source;
		int rc;
		const char *word;
	} rows[] = {
		{"oci:", -EINVAL, "path"},
		{"docker-archive:", -EINVAL, "path"},
		{"docker-daemon:a", -ENOTSUP, "docker-daemon:"},
		{"containers-storage:a", -ENOTSUP, "containers-storage:"},
		{"http://localhost:5000/a", -EINVAL, "without http://"},
		{"https://example.org/a", -EINVAL, "without https://"},
		{"/var/lib/image", -EINVAL, "oci:DIR"},
		{"./image.tar", -EINVAL, "oci-archive:FILE"},
		{"../image", -EINVAL, "oci:DIR"},
		{"oci:/nonexistent", -ENOENT, "/nonexistent"},
	};
	struct client *c = client_start();
	struct image_source *o = NULL;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};

		is_int(image_source_open(rows[i].source, c, &o, &e), rows[i].rc, "%s",
		       e.text);
		ok(strstr(e.text, rows[i].word) != NULL, "says \"%s\"", rows[i].word);
	}
	client_free(c);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	setenv("HOME", "/nonexistent", 1);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	make_documents();
	web_start(&web, answer, NULL);
	test_other_forms();
	test_lists();
	test_list_stops();
	test_tag_digest();
	test_entries();
	test_entry_alone();
	test_referrers();
	test_sharing();
	test_probe();
	web_stop(&web);
	return test_done();
}
