/* SPDX-License-Identifier: MIT */
/*
 * The signatures of a manifest: those under cosign's tag, "sha256-HEX.sig", which podman and
 * skopeo write too, those among its referrers, and on disk those that skopeo keeps in files
 * (dir:). All are foreign and unverified here.
 */
#ifndef REGISTRY_TRUST_SIGNATURES_H
#define REGISTRY_TRUST_SIGNATURES_H

#include <stdbool.h>

#include "base/buf.h"
#include "registry/image/backend.h"

struct err;

/* A ceiling for one manifest, whose author may be hostile; usual are a few. */
#define SIGNATURES_MAX 64

struct signature {
	struct buf text; /* what is signed: see payload.h */
	bool is_statement;
	struct buf
		signed_bytes; /* of a statement: what the signature is over, else @text */
	struct buf bytes;
};

enum signature_verdict {
	SIGNATURE_USELESS,
	SIGNATURE_GOOD,	  /* others are needed, too */
	SIGNATURE_ENOUGH, /* ends the search */
};

/* Lent for the call. */
typedef enum signature_verdict signature_fn(void *arg, const struct signature *s);

/*
 * Reports the signatures that signatures_ask() found to be good before, from the store,
 * without a request. True if @fn had enough.
 */
bool signatures_recall(struct backend *b, const struct digest *of, signature_fn *fn,
		       void *arg);
/*
 * Asks the backend for signatures and reports them until @fn has enough. The store then
 * keeps the good ones. What is malformed is left out. 1: @fn had enough; 0: there are no
 * more; else a negative errno: the registry was not reached or refused.
 */
int signatures_ask(struct backend *b, const struct digest *of, signature_fn *fn,
		   void *arg, struct err *e);

#endif
