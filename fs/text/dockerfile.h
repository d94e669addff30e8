/* SPDX-License-Identifier: MIT */
#ifndef FS_TEXT_DOCKERFILE_H
#define FS_TEXT_DOCKERFILE_H

struct buf;
struct image_facts;
struct instructions;

/*
 * Appends a Dockerfile reconstructed from history and config. Its first line says that it
 * is a reconstruction. 0, -ENOMEM, -E2BIG.
 */
int dockerfile_render(const struct image_facts *f, struct buf *out);

/*
 * Appends one step, given as the history has it ("created_by"), as an instruction with its
 * line end, and records it in @t. An empty step appends nothing. 0, -ENOMEM, -E2BIG.
 */
int dockerfile_step(struct instructions *t, const char *created_by, struct buf *out);

#endif
