/* SPDX-License-Identifier: MIT */
/*
 * A host (scheme, name and port) that transfers run to: how many of them, and whether it
 * answers anybody.
 */
#ifndef REGISTRY_HTTP_HOST_H
#define REGISTRY_HTTP_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct host {
	struct host *next;
	unsigned running, bulk; /* transfers under way; the transfer thread's */
	int64_t alive;		/* atomic */
	char origin[];
};

/*
 * Whether one more transfer may start, if @connections may run at once: bulk transfers
 * leave two of these to the others. The three calls are the transfer thread's.
 */
bool host_has_room(const struct host *host, unsigned connections, bool bulk);
void host_enter(struct host *host, bool bulk);
void host_leave(struct host *host, bool bulk);

/* Any thread: the host has just sent something, or a reader was too slow to take it. */
void host_note_alive(struct host *host);
/* When that last was, by clock_ms(); 0: never. */
int64_t host_alive(const struct host *host);

#endif
