/* SPDX-License-Identifier: MIT */
/*
 * Mapped files that lose their bytes: cut short by another process, or on a disk that fails.
 * Touching what is gone is a SIGBUS, which would end us.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

/*
 * From now on such a page reads as zeros, and keeps in this process what is written to it.
 * Who maps a file has to know zeros from what he expects. Once, before there are threads.
 */
void fault_init(void);

#endif
