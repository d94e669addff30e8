/* SPDX-License-Identifier: MIT */
/*
 * Copies between the terminal of a sandbox and the standard files of this process, whose own
 * terminal is raw meanwhile. One thread.
 */
#ifndef FS_RUN_RELAY_H
#define FS_RUN_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#define RELAY_FDS 3

/* Bytes on their way in one direction. */
struct pump {
	char data[4096];
	size_t at, len; /* those that are left */
	bool has_ended;
	char last; /* the last byte that came */
};

struct relay {
	int master; /* -1: there is no terminal yet */
	struct pump in, out;
	struct termios saved; /* of standard input */
	bool is_raw;
};

/* @reads_input: standard input goes to the terminal. */
void relay_init(struct relay *r, bool reads_input);
/* Takes the other end of the sandbox's terminal. */
void relay_attach(struct relay *r, int master);
/* Ends it, and gives the terminal its modes back. */
void relay_close(struct relay *r);

/* What to wait for, in RELAY_FDS places; and the copying after poll(2). */
void relay_fill(const struct relay *r, struct pollfd *fds);
void relay_move(struct relay *r, const struct pollfd *fds);
/* Whether nothing is left to print: all programs have closed the terminal. */
bool relay_is_done(const struct relay *r);

/* The size of the user's terminal is that of the sandbox's. */
void relay_resize(const struct relay *r);
/* Around a stop of this process. */
void relay_suspend(struct relay *r);
void relay_resume(struct relay *r);

#endif
