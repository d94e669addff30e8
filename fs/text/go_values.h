/* SPDX-License-Identifier: MIT */
/*
 * Values in a build step as Go prints them there: `["a" "b"]`, `[/a /b]`,
 * `map[80/tcp:{}]`, `&{["CMD-SHELL" "true"] "30s" "0s" "0s" '\x03'}`. Each call appends the
 * value in the form of a Dockerfile, and a text that is no such value unchanged. 0, -ENOMEM,
 * -E2BIG.
 */
#ifndef FS_TEXT_GO_VALUES_H
#define FS_TEXT_GO_VALUES_H

struct buf;

/* A list, as a JSON array on one line. */
int go_values_list(const char *text, struct buf *out);
/* The words of a list or the keys of a map, with spaces between them. */
int go_values_words(const char *text, struct buf *out);
/* The structure of a health check, as the argument of HEALTHCHECK. */
int go_values_health(const char *text, struct buf *out);

#endif
