/* SPDX-License-Identifier: MIT */
/* The user's home directory. */
#ifndef BASE_HOME_H
#define BASE_HOME_H

/* $HOME, else the user database's, else "/". Borrowed until the environment changes. */
const char *home_dir(void);
/*
 * Sets $HOME from the user database where it is missing or cannot be written to: under
 * mount(8) a user gets root's, or none. Call it once, before there are threads.
 */
void home_settle(void);

#endif
