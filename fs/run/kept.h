/* SPDX-License-Identifier: MIT */
/*
 * A directory that keeps what programs write (--rw) belongs to one image, because an overlay
 * above another lower directory shows a mixture of both. The file "image" in it has the digest
 * of the image's manifest, as text.
 */
#ifndef FS_RUN_KEPT_H
#define FS_RUN_KEPT_H

struct digest;
struct err;

/*
 * Notes @manifest in the directory @dir, unless a digest is noted there already. Then -EINVAL
 * and a sentence if that is another one. The caller has locked the directory against others.
 */
int kept_claim(int dir, const struct digest *manifest, struct err *e);

#endif
