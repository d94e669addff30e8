/* SPDX-License-Identifier: MIT */
/*
 * User and group IDs of a user namespace. Root's namespace has the IDs that root has. In an
 * ordinary user's, 0 is the user; the subordinate IDs of /etc/subuid and /etc/subgid follow
 * from 1, if there are any for the user and newuidmap(1) is installed.
 */
#ifndef FS_RUN_IDS_H
#define FS_RUN_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* The kernel takes 340. */
#define IDS_ROWS_MAX 32

struct id_map {
	struct id_row {
		uint32_t inside, outside, count;
	} rows[IDS_ROWS_MAX];
	size_t n;
};

struct ids {
	struct id_map users, groups;
	bool is_root;	/* of the outer namespace, and may thus write any map */
	bool is_single; /* there is one ID alone */
};

/*
 * Adds the rows that @text, which is as /etc/subuid, has for the user @name or @uid. Lines
 * that are malformed, overlap an ID of the map, or do not fit are skipped.
 */
void ids_parse(struct id_map *m, const char *text, const char *name, uint32_t uid);
/* Whether the map has the inner ID. */
bool ids_has(const struct id_map *m, uint32_t inside);

/* The IDs for a namespace of the calling user. 0, or a negative errno and a sentence. */
int ids_find(struct ids *ids, struct err *e);
/* Gives them to the process @pid, which is in a new namespace. As above. */
int ids_apply(const struct ids *ids, pid_t pid, struct err *e);

#endif
