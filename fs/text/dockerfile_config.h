/* SPDX-License-Identifier: MIT */
#ifndef FS_TEXT_DOCKERFILE_CONFIG_H
#define FS_TEXT_DOCKERFILE_CONFIG_H

struct buf;
struct instructions;
struct json;

/*
 * Appends instructions for what is in @config, the part "config" of an image's config, and in
 * no step that @t has: behind a comment, or nothing at all. 0, -ENOMEM, -E2BIG.
 */
int dockerfile_config_append(const struct json *config, struct instructions *t,
			     struct buf *out);

#endif
