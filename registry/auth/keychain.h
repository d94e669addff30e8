/* SPDX-License-Identifier: MIT */
/*
 * What credential helpers say (docker-credential-helpers): programs that may ask
 * their owner, or another machine, and so are asked once for each registry.
 */
#ifndef REGISTRY_AUTH_KEYCHAIN_H
#define REGISTRY_AUTH_KEYCHAIN_H

#include <stdbool.h>

struct credential;
struct err;
struct keychain;

int keychain_new(struct keychain **out, struct err *e);
/* NULL is fine. */
void keychain_free(struct keychain *k);

/*
 * What docker-credential-@suffix says of @server; @anew: run it, whatever it said
 * before. Several threads at once make one run. 0; -ENOENT: it knows nobody; -EACCES with
 * a sentence: it fails.
 */
int keychain_ask(struct keychain *k, const char *suffix, const char *server, bool anew,
		 struct credential *out, struct err *e);

#endif
