/* SPDX-License-Identifier: MIT */
#ifndef FS_TEXT_INSPECT_H
#define FS_TEXT_INSPECT_H

struct buf;
struct image_facts;

/*
 * Appends inspect.json: what `docker image inspect` prints, without the fields that only
 * an engine knows. 0, -ENOMEM, -E2BIG.
 */
int inspect_render(const struct image_facts *f, struct buf *out);

#endif
