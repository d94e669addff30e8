/* SPDX-License-Identifier: MIT */
/*
 * This program, out of reach of a sandbox. An image can make the kernel execute
 * /proc/self/exe, and could then write to the file of the program that started it
 * (CVE-2019-5736). So what starts a sandbox is a sealed copy in memory.
 */
#ifndef FS_RUN_SELF_H
#define FS_RUN_SELF_H

struct err;

/*
 * Returns 0 if this process is such a copy. Else it becomes one: it executes the copy with
 * @words, up to a NULL, behind its own name, which is the path of the file. A negative errno
 * and a sentence. Before threads start.
 */
int self_protect(char *const *words, struct err *e);

/*
 * The path of the program @name beside this one's file, after self_protect(). The caller
 * frees it; NULL if there is no memory.
 */
char *self_neighbour(const char *name);

#endif
