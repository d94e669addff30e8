/* SPDX-License-Identifier: MIT */
/*
 * What a signature says: "simple signing" payloads of containers (as cosign and podman write
 * them), and in-toto statements in a DSSE envelope in a Sigstore bundle (as cosign 3 does).
 * Parsers of foreign bytes; a payload is to be believed only after its signature has been
 * verified.
 */
#ifndef REGISTRY_TRUST_PAYLOAD_H
#define REGISTRY_TRUST_PAYLOAD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/digest.h"

struct err;

/* A bundle may hold certificates and proofs of a log; payloads have some hundred bytes. */
#define PAYLOAD_MAX (1u << 20)

/* The media type of a simple payload, and the annotation with its signature in base64. */
#define PAYLOAD_SIMPLE_TYPE   "application/vnd.dev.cosign.simplesigning.v1+json"
#define PAYLOAD_SIGNATURE_KEY "dev.cosignproject.cosign/signature"

struct payload {
	struct digest digest; /* of the manifest that was signed */
	char *reference;      /* the identity that it was signed as; NULL: none is said */
};

/* -EBADMSG with a sentence: not a payload, or of another type; -ENOMEM. */
int payload_parse_simple(const void *data, size_t len, struct payload *out,
			 struct err *e);
/* The same for a statement that cosign has made of a signed image. */
int payload_parse_statement(const void *data, size_t len, struct payload *out,
			    struct err *e);
/* Accepts zeroed memory. */
void payload_release(struct payload *p);

/* A bundle with a DSSE envelope. */
struct bundle {
	struct buf statement;
	struct buf signed_bytes; /* what the signature is over (DSSE, "PAE") */
	struct buf signature;
};

/* Zeroes @out first. -EBADMSG with a sentence; -ENOMEM. */
int bundle_parse(const void *data, size_t len, struct bundle *out, struct err *e);
/* Accepts zeroed memory. */
void bundle_release(struct bundle *b);

/* A file "signature-N", in which skopeo keeps a simple payload beside an image on disk. */
struct signature_file {
	struct buf payload;
	struct buf signature;
};

/* Zeroes @out first. -EBADMSG with a sentence, also for signatures by GPG; -ENOMEM. */
int signature_file_parse(const void *data, size_t len, struct signature_file *out,
			 struct err *e);
/* Accepts zeroed memory. */
void signature_file_release(struct signature_file *f);

#endif
