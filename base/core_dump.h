/* SPDX-License-Identifier: MIT */
/* Our memory holds passwords and tokens, so it is not written down when we crash. */
#ifndef BASE_CORE_DUMP_H
#define BASE_CORE_DUMP_H

/*
 * No core of this process or its children is kept; and where one is handed to a program all
 * the same (core(5): the limit on its size does not hold for pipes), no memory is in it.
 */
void core_dump_forbid(void);

#endif
