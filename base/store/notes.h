/* SPDX-License-Identifier: MIT */
/*
 * Notes: short texts under a name, such as the digest that a tag last had. A later note
 * replaces an earlier one. A note's checksum detects damage, not forgery; only the mode
 * of the store's directory prevents that.
 */
#ifndef BASE_STORE_NOTES_H
#define BASE_STORE_NOTES_H

struct buf;
struct store;

/* Appends the note to @out. -ENOENT also if it is damaged. */
int store_get_note(struct store *s, const char *name, struct buf *out);
/* @text has at most 4 KiB, else -E2BIG. */
int store_put_note(struct store *s, const char *name, const char *text);

/* For documents.c: -ENOENT if the note in names/@file is damaged. */
int store_check_note(struct store *s, const char *file);

#endif
