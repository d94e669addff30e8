/* SPDX-License-Identifier: MIT */
/*
 * The answers of credential helpers (docker-credential-helpers). A helper may ask its
 * user or another machine, so each is run once for each registry.
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
 * The answer of docker-credential-@suffix about @server; @anew runs it even if it has
 * answered before. Threads that ask at the same time share one run. 0; -ENOENT: it has no
 * credential; -EACCES with a sentence: it failed.
 */
int keychain_ask(struct keychain *k, const char *suffix, const char *server, bool anew,
		 struct credential *out, struct err *e);

#endif
