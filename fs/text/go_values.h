/* SPDX-License-Identifier: MIT */
/*
 * Values in a build step, as Go prints them there: `["a" "b"]`, `[/a /b]`,
 * `map[80/tcp:{}]`, `&{["CMD-SHELL" "true"] "30s" "0s" "0s" '\x03'}`. Appended to a buf as
 * a Dockerfile writes them. 0, -ENOMEM, -E2BIG.
 */
#ifndef FS_TEXT_GO_VALUES_H
#define FS_TEXT_GO_VALUES_H

struct buf;
struct json;

/* A list as JSON on one line; what is no list as it is. */
int go_values_list(const char *text, struct buf *out);
/* The words of a list, or the keys of a map, with spaces between. */
int go_values_words(const char *text, struct buf *out);
/* What stands behind HEALTHCHECK; what is no such structure as it is. */
int go_values_health(const char *text, struct buf *out);

#endif
