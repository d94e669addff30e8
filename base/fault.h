/* SPDX-License-Identifier: MIT */
/*
 * Mapped files that lose bytes: truncated by another process, or on a failing disk. An access to
 * such a page raises SIGBUS, which would end the process.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

/*
 * Makes such pages read as zeros; writes to them stay in this process. Code that maps a
 * file has to recognise zeros as damage. To be called once, before there are threads.
 */
void fault_init(void);

#endif
