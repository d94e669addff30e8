/* SPDX-License-Identifier: MIT */
/*
 * Image references in Docker's syntax: [HOST[:PORT]/]PATH[:TAG][@DIGEST]. The defaults are
 * docker.io, library/ and latest (distribution/reference, "normalized named").
 */
#ifndef REGISTRY_IMAGE_REFERENCE_H
#define REGISTRY_IMAGE_REFERENCE_H

#include <stdbool.h>

#include "base/digest.h"

struct err;

#define REFERENCE_HOST_MAX 255 /* a DNS name and its port, as many clients cap it */
#define REFERENCE_PATH_MAX 255 /* distribution's RepositoryNameTotalLengthMax */
#define REFERENCE_TAG_MAX  128
/* HOST/PATH:TAG@DIGEST and NUL */
#define REFERENCE_TEXT_MAX                                                               \
	(REFERENCE_HOST_MAX + REFERENCE_PATH_MAX + REFERENCE_TAG_MAX + DIGEST_TEXT_MAX + \
	 4)

struct reference {
	char host[REFERENCE_HOST_MAX + 1]; /* with the port, as written; "docker.io" */
	char path[REFERENCE_PATH_MAX + 1]; /* "library/nginx" */
	char tag[REFERENCE_TAG_MAX + 1];   /* "" if the reference has only a digest */
	bool has_digest; /* then the digest decides and the tag is informative */
	struct digest digest;
};

/* -EINVAL: not a reference; -ENOTSUP: a digest of an unknown algorithm. */
int reference_parse(const char *text, struct reference *out, struct err *e);
/* Writes the full form to @out, of REFERENCE_TEXT_MAX bytes, and returns it. */
const char *reference_format(const struct reference *r, char *out);
/* The same without tag and digest: "HOST/PATH". */
const char *reference_name(const struct reference *r, char *out);
/* Does @text name no host, so that docker.io is only the default? */
bool reference_is_short(const char *text);
/* Is @host, with or without a port, localhost, in 127.0.0.0/8 or ::1? */
bool reference_host_is_loopback(const char *host);

/* One name of a list (tags, repositories), lent for the call. A negative errno ends the list. */
typedef int name_fn(void *arg, const char *name);

/* Are the first @len bytes of @text a valid repository path, tag, or host[:port]? */
bool reference_is_path(const char *text, size_t len);
bool reference_is_tag(const char *text, size_t len);
bool reference_is_host(const char *text, size_t len);

#endif
