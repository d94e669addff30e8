/* SPDX-License-Identifier: MIT */
/* The gate, on a backend in memory: check.c, signatures.c and trust.c together. */
#include "registry/trust/trust.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/store/store.h"
#include "registry/image/backend.h"
#include "registry/image/document_kind.h"
#include "registry/image/image.h"
#include "registry/trust/signatures.h"
#include "tests/unit/place.h"
#include "tests/unit/signer.h"

#define SIMPLE "application/vnd.dev.cosign.simplesigning.v1+json"
#define NAME   "a.b/c"

static struct signer key, other;

/* THE BACKEND: its documents, and what its two lists name. */

static struct {
	struct digest digest;
	struct buf bytes;
} documents[32];
static size_t n_documents;
static struct descriptor tagged,
	listed; /* of what is under cosign's tag; of a referrer */
static unsigned asked, n_read;
static int trouble; /* what asking for signatures gives */

static struct descriptor put(const void *data, size_t len, const char *media)
{
	struct descriptor d = {.size = len, .media_type = (char *)(uintptr_t)media};

	if (n_documents == 32 || digest_of(DIGEST_SHA256, data, len, &d.digest) < 0)
		exit(1);
	buf_init(&documents[n_documents].bytes, 1 << 20);
	if (buf_append(&documents[n_documents].bytes, data, len) < 0)
		exit(1);
	documents[n_documents++].digest = d.digest;
	return d;
}

static int get_document(struct backend *b, const struct descriptor *d, struct buf *bytes,
			struct err *e)
{
	size_t i;

	(void)b;
	n_read++;
	for (i = 0; i < n_documents; i++) {
		if (digest_equal(&documents[i].digest, &d->digest))
			return buf_append(bytes, documents[i].bytes.data,
					  documents[i].bytes.len);
	}
	return err_set(e, -ENOENT, "no such document");
}

static int get_referrers(struct backend *b, const struct referrers_query *q,
			 struct err *e)
{
	const struct descriptor *d = q->part == REFERRERS_SIGNATURES ? &tagged : &listed;

	(void)b;
	asked++;
	if (trouble)
		return err_set(e, trouble, "the line is cut");
	return d->media_type ? q->fn(q->arg, d) : 0;
}

static const struct backend_ops ops = {.document = get_document,
				       .referrers = get_referrers};
static struct backend remote = {
	.ops = &ops, .transport = "docker", .name = (char *)(uintptr_t)(NAME ":t")};

static void reset(void)
{
	while (n_documents > 0)
		buf_release(&documents[--n_documents].bytes);
	tagged = listed = (struct descriptor){0};
	asked = n_read = 0;
	trouble = 0;
}

/* SIGNING */

/* The text of a layer: a signature by @s that @digest is @reference. */
static void add_signature(const struct signer *s, const struct digest *digest,
			  const char *reference, struct buf *layers)
{
	char payload[1024], text[DIGEST_TEXT_MAX];
	struct descriptor d;
	struct buf sig;

	snprintf(payload, sizeof(payload),
		 "{\"critical\":{\"identity\":{\"docker-reference\":\"%s\"},\"image\":"
		 "{\"docker-manifest-digest\":\"%s\"},\"type\":"
		 "\"cosign container image signature\"},\"optional\":null}",
		 reference, digest_format(digest, text));
	d = put(payload, strlen(payload), SIMPLE);
	buf_init(&sig, 1024);
	signer_sign(s, EVP_sha256(), payload, strlen(payload), &sig);
	if (buf_printf(layers,
		       "%s{\"mediaType\":\"" SIMPLE "\",\"digest\":\"%s\",\"size\":%zu,"
		       "\"annotations\":{\"dev.cosignproject.cosign/signature\":\"",
		       layers->len ? "," : "", digest_format(&d.digest, text),
		       strlen(payload)) < 0 ||
	    base64_append(layers, sig.data, sig.len) < 0 ||
	    buf_append_text(layers, "\"}}") < 0)
		exit(1);
	buf_release(&sig);
}

/* The manifest that holds them. */
static struct descriptor hold(struct buf *layers)
{
	struct descriptor config = put("{}", 2, MEDIA_OCI_CONFIG);
	char text[DIGEST_TEXT_MAX], *manifest;
	struct descriptor d;
	int len = asprintf(&manifest,
			   "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
			   "\",\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
			   "\",\"digest\":\"%s\",\"size\":2},\"layers\":[%s]}",
			   digest_format(&config.digest, text), buf_text(layers));

	if (len < 0)
		exit(1);
	d = put(manifest, (size_t)len, MEDIA_OCI_MANIFEST);
	free(manifest);
	buf_clear(layers);
	return d;
}

static struct image image;

static void sign(const struct signer *s, const struct digest *d, const char *reference)
{
	struct buf layers;

	buf_init(&layers, 1 << 20);
	add_signature(s, d, reference, &layers);
	tagged = hold(&layers);
	buf_release(&layers);
}

static struct trust *open_trust(const char *policy, const char *verify)
{
	struct trust *t = NULL;
	struct err e = {""};
	FILE *f;

	if (policy) {
		f = fopen(place_path("policy.json"), "we");
		if (!f || fputs(policy, f) < 0 || fclose(f) != 0)
			exit(1);
	}
	is_int(trust_new(place_path("policy.json"), verify, &t, &e), 0, "a policy %s",
	       e.text);
	return t;
}

static void check(const struct trust *t, int want, const char *why)
{
	struct err e = {""};

	is_int(trust_check_image(t, &remote, &image, &e), want, "%s: %s", why, e.text);
	if (want < 0)
		ok(strstr(e.text, why) && strncmp(e.text, NAME, strlen(NAME)) == 0,
		   "says why");
}

static const char accept[] = "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}";
static const char reject[] = "{\"default\":[{\"type\":\"reject\"}]}";
#define SIGNED(keys)                                       \
	"{\"default\":[{\"type\":\"sigstoreSigned\"," keys \
	",\"signedIdentity\":{\"type\":\"matchRepository\"}}]}"

static void write_key(const struct signer *s, const char *name)
{
	FILE *f = fopen(place_path(name), "we");

	if (!f || fwrite(s->pem.data, 1, s->pem.len, f) != s->pem.len || fclose(f) != 0)
		exit(1);
}

static const char *signed_by(const char *name)
{
	static char text[2048];

	snprintf(text, sizeof(text), SIGNED("\"keyPath\":\"%s\""), place_path(name));
	return text;
}

static void test_policy(void)
{
	struct trust *t = open_trust(accept, NULL);

	check(t, 0, "anything");
	ok(!trust_needs_signature(t, &remote), "no signature is needed");
	trust_free(t);
	t = open_trust(reject, NULL);
	check(t, -EACCES, "rejects");
	trust_free(t);
	is_int(asked, 0, "nothing is asked");
	t = open_trust(signed_by("key.pub"), NULL);
	ok(trust_needs_signature(t, &remote), "a signature is needed");
	check(t, -EACCES, "there is none");
	is_int(asked, 2, "both lists");
	sign(&other, &image.manifest_descriptor.digest, NAME);
	check(t, -EACCES, "by another key");
	sign(&key, &image.index_descriptor.digest, NAME);
	check(t, -EACCES, "of another image");
	sign(&key, &image.manifest_descriptor.digest, "a.b/d");
	check(t, -EACCES, "is for a.b/d");
	sign(&key, &image.manifest_descriptor.digest, NAME);
	check(t, 0, "signed");
	trouble = -EIO;
	check(t, -EIO, "the line is cut");
	trust_free(t);
	reset();
	t = open_trust(signed_by("none.pub"), NULL);
	check(t, -EACCES, "none.pub");
	is_int(asked, 0, "nothing is asked");
	trust_free(t);
}

static void test_key(void)
{
	char path[PATH_MAX];
	struct trust *t;

	snprintf(path, sizeof(path), "%s", place_path("key.pub"));
	t = open_trust(accept, path);
	ok(trust_needs_signature(t, &remote), "a signature is needed");
	check(t, -EACCES, "there is none");
	sign(&key, &image.index_descriptor.digest, NAME);
	check(t, -EACCES, "of another image");
	image.has_index = true;
	check(t, 0, "the index is signed");
	image.has_index = false;
	trust_free(t);
	sign(&key, &image.manifest_descriptor.digest, NAME);
	t = open_trust(reject, path);
	check(t, -EACCES, "rejects");
	trust_free(t);
	t = open_trust(signed_by("other.pub"), path);
	check(t, -EACCES, "by another key");
	trust_free(t);
	reset();
}

/* Two requirements, met by signatures in two places. */
static void test_both(void)
{
	static char text[4096];
	struct buf layers;
	struct trust *t;

	snprintf(text, sizeof(text),
		 "{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"%s/key.pub\"},"
		 "{\"type\":\"insecureAcceptAnything\"},"
		 "{\"type\":\"sigstoreSigned\",\"keyPath\":\"%s/other.pub\"}]}",
		 place_path(""), place_path(""));
	t = open_trust(text, NULL);
	sign(&key, &image.manifest_descriptor.digest, NAME ":t");
	check(t, -EACCES, "none of 1 signatures");
	buf_init(&layers, 1 << 20);
	add_signature(&other, &image.manifest_descriptor.digest, NAME ":t", &layers);
	listed = hold(&layers);
	check(t, -EACCES, "none of 1 signatures");
	listed.artifact_type =
		(char *)(uintptr_t) "application/vnd.dev.cosign.artifact.sig.v1+json";
	check(t, 0, "each by one");
	buf_release(&layers);
	trust_free(t);
	reset();
}

static void test_store(void)
{
	struct trust *t = open_trust(signed_by("key.pub"), NULL);
	struct store *s;

	if (mkdir(place_path("store"), 0700) < 0 ||
	    store_open(place_path("store"), &s, NULL) < 0)
		exit(1);
	remote.store = s;
	sign(&key, &image.manifest_descriptor.digest, NAME);
	check(t, 0, "from the registry");
	is_int(asked, 1, "one list");
	trouble = -EIO;
	check(t, 0, "from the store");
	is_int(asked, 1, "nothing is asked");
	trust_free(t);
	t = open_trust(signed_by("other.pub"), NULL);
	check(t, -EIO, "the line is cut");
	trust_free(t);
	reset();
	remote.store = NULL;
	store_close(s);
}

static void test_artifact(void)
{
	struct trust *t = open_trust(accept, NULL);
	struct digest *d = &image.index_descriptor.digest;

	is_int(trust_check_artifact(t, &remote, d, NULL), 0, "none is needed");
	trust_free(t);
	t = open_trust(signed_by("key.pub"), NULL);
	is_int(trust_check_artifact(t, &remote, d, NULL), -EACCES, "it is not signed");
	sign(&other, d, NAME);
	is_int(trust_check_artifact(t, &remote, d, NULL), -EACCES, "by another key");
	sign(&key, d, NAME);
	is_int(trust_check_artifact(t, &remote, d, NULL), 0, "it is signed");
	is_int(trust_check_artifact(t, &remote, &image.manifest_descriptor.digest, NULL),
	       -EACCES, "of something else");
	trust_free(t);
	reset();
}

/* More than are read: the good one comes too late. */
static void test_many(void)
{
	struct trust *t = open_trust(signed_by("key.pub"), NULL);
	struct buf layers;
	char *one;
	int i;

	buf_init(&layers, 1 << 20);
	add_signature(&other, &image.manifest_descriptor.digest, NAME, &layers);
	one = strdup(buf_text(&layers));
	for (i = 1; i < SIGNATURES_MAX; i++) {
		if (!one || buf_printf(&layers, ",%s", one) < 0)
			exit(1);
	}
	add_signature(&key, &image.manifest_descriptor.digest, NAME, &layers);
	tagged = hold(&layers);
	check(t, -EACCES, "none of 64 signatures");
	free(one);
	buf_release(&layers);
	trust_free(t);
	reset();
}

/* What is no signature has a ceiling, too. */
static void test_junk(void)
{
	struct trust *t = open_trust(signed_by("key.pub"), NULL);
	struct descriptor d = put("x", 1, SIMPLE);
	char text[DIGEST_TEXT_MAX];
	struct buf layers;
	int i;

	buf_init(&layers, 1 << 20);
	digest_format(&d.digest, text);
	for (i = 0; i < 500; i++) {
		if (buf_printf(&layers,
			       "%s{\"mediaType\":\"" SIMPLE "\",\"digest\":\"%s\","
			       "\"size\":1}",
			       i ? "," : "", text) < 0)
			exit(1);
	}
	tagged = hold(&layers);
	check(t, -EACCES, "there is none");
	ok(n_read > 10 && n_read <= 128, "%u documents are read", n_read);
	buf_release(&layers);
	trust_free(t);
	reset();
}

int main(void)
{
	place_make();
	signer_make(&key, "P-256");
	signer_make(&other, "P-256");
	write_key(&key, "key.pub");
	write_key(&other, "other.pub");
	if (digest_of(DIGEST_SHA256, "image", 5, &image.manifest_descriptor.digest) < 0 ||
	    digest_of(DIGEST_SHA256, "index", 5, &image.index_descriptor.digest) < 0)
		exit(1);
	test_policy();
	test_key();
	test_both();
	test_store();
	test_artifact();
	test_many();
	test_junk();
	signer_release(&key);
	signer_release(&other);
	return test_done();
}
