/* SPDX-License-Identifier: MIT */
/*
 * Passwords and tokens in memory: they are overwritten before the memory is freed, and no
 * core dump contains them.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

struct buf;

/* Overwrite and free; NULL is fine. */
void secret_free(char *text);
/* All items up to the first NULL, and the list itself. */
void secret_free_list(char **list);
/* buf_release() for a buf with a secret: its whole memory is overwritten first. */
void secret_release(struct buf *b);

/*
 * This process and its children leave no core file. A program that receives core dumps
 * through a pipe (core(5): no size limit applies to it) gets one without memory.
 */
void secret_forbid_core(void);

#endif
