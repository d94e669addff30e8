/* SPDX-License-Identifier: MIT */
/* Descriptors over a Unix socket (unix(7), SCM_RIGHTS). */
#ifndef FS_RUN_FDPASS_H
#define FS_RUN_FDPASS_H

/* Sends @fd, with the byte @word. 0 or a negative errno. */
int fdpass_send(int socket, int fd, char word);
/*
 * Receives one message of a byte, for *word, and perhaps a descriptor: 1, and *fd is a new
 * one with O_CLOEXEC, or -1. 0: the other end is closed. Or a negative errno.
 */
int fdpass_receive(int socket, int *fd, char *word);

#endif
