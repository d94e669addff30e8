/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

static const struct {
	const char *name;
	size_t size;
	const EVP_MD *(*md)(void);
} algs[] = {
	[DIGEST_NONE] = {"", 0, NULL},
	[DIGEST_SHA256] = {"sha256", 32, EVP_sha256},
	[DIGEST_SHA384] = {"sha384", 48, EVP_sha384},
	[DIGEST_SHA512] = {"sha512", 64, EVP_sha512},
};

#define N_ALGS (sizeof(algs) / sizeof(algs[0]))

size_t digest_size(enum digest_alg alg)
{
	return algs[alg].size;
}

const char *digest_alg_name(enum digest_alg alg)
{
	return algs[alg].name;
}

/* Lower case only: the same digest in upper case would be another cache key. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int parse_hex(const char *hex, size_t size, uint8_t *out)
{
	size_t i;

	for (i = 0; i < size; i++) {
		int hi = hex_value(hex[2 * i]), lo = hex_value(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EBADMSG;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

int digest_parse(const char *text, size_t len, struct digest *out)
{
	const char *colon = memchr(text, ':', len);
	struct digest d = {0};
	size_t name_len, alg;

	if (!colon || colon == text)
		return -EBADMSG;
	name_len = (size_t)(colon - text);
	for (alg = 1; alg < N_ALGS; alg++) {
		if (strlen(algs[alg].name) == name_len &&
		    memcmp(algs[alg].name, text, name_len) == 0)
			break;
	}
	if (alg == N_ALGS)
		return -ENOTSUP;
	if (len - name_len - 1 != 2 * algs[alg].size)
		return -EBADMSG;
	if (parse_hex(colon + 1, algs[alg].size, d.bytes) < 0)
		return -EBADMSG;
	d.alg = (enum digest_alg)alg;
	*out = d;
	return 0;
}

const char *digest_hex(const struct digest *d, char *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, size = algs[d->alg].size;

	for (i = 0; i < size; i++) {
		out[2 * i] = hex[d->bytes[i] >> 4];
		out[2 * i + 1] = hex[d->bytes[i] & 15];
	}
	out[2 * size] = '\0';
	return out;
}

const char *digest_format(const struct digest *d, char *out)
{
	size_t name_len = strlen(algs[d->alg].name);

	memcpy(out, algs[d->alg].name, name_len);
	out[name_len] = ':';
	digest_hex(d, out + name_len + 1);
	return out;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->alg != DIGEST_NONE && a->alg == b->alg &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct hasher {
	EVP_MD_CTX *ctx;
	enum digest_alg alg;
};

int hasher_new(enum digest_alg alg, struct hasher **out)
{
	struct hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->alg = alg;
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex(h->ctx, algs[alg].md(), NULL) != 1) {
		hasher_free(h);
		return -ENOMEM;
	}
	*out = h;
	return 0;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hasher_update(struct hasher *h, const void *data, size_t len)
{
	(void)EVP_DigestUpdate(h->ctx, data, len);
}

/*
 * On a context that was set up, none of OpenSSL's digests can fail; should one
 * all the same, the digest given is DIGEST_NONE, which equals no expected one.
 */
void hasher_finish(struct hasher *h, struct digest *out)
{
	struct digest d = {.alg = h->alg};
	unsigned size = 0;

	if (EVP_DigestFinal_ex(h->ctx, d.bytes, &size) != 1 || size != algs[h->alg].size)
		d = (struct digest){0};
	(void)EVP_DigestInit_ex(h->ctx, NULL, NULL);
	*out = d;
}

void hasher_peek(const struct hasher *h, struct digest *out)
{
	struct hasher copy = {.alg = h->alg, .ctx = EVP_MD_CTX_new()};

	*out = (struct digest){0};
	if (copy.ctx && EVP_MD_CTX_copy_ex(copy.ctx, h->ctx) == 1)
		hasher_finish(&copy, out);
	EVP_MD_CTX_free(copy.ctx);
}

int digest_of(enum digest_alg alg, const void *data, size_t len, struct digest *out)
{
	struct hasher *h = NULL;
	int rc = hasher_new(alg, &h);

	if (rc < 0)
		return rc;
	hasher_update(h, data, len);
	hasher_finish(h, out);
	hasher_free(h);
	return 0;
}
