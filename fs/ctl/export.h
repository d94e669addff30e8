/* SPDX-License-Identifier: MIT */
/* `peelctl cache warm` and `peelctl cache export`. @words: those behind the second name. */
#ifndef FS_CTL_EXPORT_H
#define FS_CTL_EXPORT_H

/* Fills the own store. The exit status. */
int export_warm(char **words);
/* Makes a store in a directory, which others can use as a lower store. */
int export_store(char **words);

#endif
