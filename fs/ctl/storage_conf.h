/* SPDX-License-Identifier: MIT */
/*
 * storage.conf of podman, Buildah and CRI-O (containers-storage.conf(5)), edited as text: all
 * bytes of a user's file stay as they are, and one directory is added. What is not plainly
 * the usual form is left to the user: nothing here parses TOML.
 */
#ifndef FS_CTL_STORAGE_CONF_H
#define FS_CTL_STORAGE_CONF_H

struct buf;
struct err;

/* More than any such file has. */
#define STORAGE_CONF_MAX (1u << 20)

/*
 * Appends @text with @store (a path) among the additionalimagestores to @out. 1; 0: it is among
 * them already, and @out is as it was; -ENOTSUP and a sentence: the text is not of the usual form.
 * -E2BIG, -ENOMEM.
 */
int storage_conf_add(const struct buf *text, const char *store, struct buf *out,
		     struct err *e);

/* Appends @text as a string of TOML, in quotes. As buf_append(). */
int storage_conf_quote(struct buf *out, const char *text);

#endif
