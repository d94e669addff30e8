/* SPDX-License-Identifier: MIT */
/*
 * The known names of a namespace: hosts, path components, tags, images by digest. Numbers
 * of names are not reused, because node ids encode them: after 1,024 times at the earliest.
 * Plain memory, no network. The caller holds the tree's lock, unless a call says otherwise.
 *
 * Any name that looks like a host or a part of a path can be looked up. So once there are
 * many names, those that no registry is known to have are forgotten, the ones that were not
 * used for long first. Their nodes are stale from then on, and the kernel looks the name up
 * again. A pinned name and those around it stay.
 */
#ifndef FS_NAMES_NAME_TREE_H
#define FS_NAMES_NAME_TREE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/digest.h"
#include "fs/image/table.h"

struct image_source;

/* "HOST/PATH" and NUL. */
#define NAME_PATH_MAX 1024
/* The number of the top. */
#define NAME_TOP 1

enum name_kind {
	NAME_DIR,   /* a host, a component of a path: perhaps a repository */
	NAME_TAG,   /* of the repository that its parent is */
	NAME_IMAGE, /* the same, by digest */
};

/* What is known about a directory; times are clock_seconds(). */
struct name_dir {
	struct image_source
		*image_source; /* of the repository, once one was opened; stays */
	uint32_t depth; /* 0: the list of hosts, 1: a host, 2: its first component */
	uint64_t ino;	/* node_ino_end() makes it one */

	uint32_t *children; /* directories and tags, ascending */
	size_t n;

	bool is_repository; /* it answered as one */
	bool is_shown;	    /* its parent lists it: it answered, or is in the catalog */
	bool is_checked;    /* a registry was asked whether it exists */
	uint32_t checked_at;

	bool is_listed;	 /* its tags were fetched */
	bool is_refused; /* then: they were refused */
	uint32_t listed_at;
	uint32_t listing; /* counts lists of tags: tags of older lists are gone */
	bool is_busy;	  /* a thread has the turn: name_tree_take_turn() */

	/* Of a host: */
	bool has_catalog; /* one was fetched */
	bool no_catalog;  /* the host offers none */
	uint32_t catalog_at;
	uint32_t
		failing_until; /* it does not answer: no question is repeated until then */
	uint32_t cataloguing;  /* counts fetched catalogs */
	uint32_t catalogued;   /* of any directory: the last catalog that had it */

	struct timespec changed; /* its mtime */
};

struct name_tag {
	struct digest digest;
	bool has_digest;
	uint32_t resolved_at;
	uint32_t generation; /* part of its node, new with each possible new digest */
	uint32_t listing;
	int64_t seen; /* when it was first seen: its mtime */
};

struct name {
	uint32_t pins;	/* name_tree_pin(), or it has images */
	bool is_recent; /* used since the last round of forgetting */
	uint32_t number;
	uint32_t parent;
	uint32_t next; /* in its bucket */
	enum name_kind kind;
	union {
		struct name_dir dir;
		struct name_tag tag;
		uint32_t image; /* number of the view */
	};
	char text[];
};

#define NAME_BUCKETS 16384
/* Above that, names are forgotten: at 200 bytes each they occupy 3 MiB. */
#define NAMES_MANY 16384u

struct name_tree {
	uint32_t ttl; /* seconds for which answers hold */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* name_tree_end_turn() */
	struct table table;
	uint32_t hand; /* the slot that was looked at last for a name to forget */
	uint32_t buckets[NAME_BUCKETS];
};

/* @prefix: the reference of the top, "HOST/PATH"; "" for the list of hosts. -ENOMEM. */
int name_tree_new(const char *prefix, uint32_t ttl, struct name_tree **out);
/* NULL is fine. Closes the sources of its repositories. */
void name_tree_free(struct name_tree *t);

/*
 * NULL if no name has the number. For a pinned name, and those around it, without the lock,
 * too: number, parent, kind and text never change.
 */
struct name *name_tree_get(const struct name_tree *t, uint32_t number);
/* The same, and it stays until name_tree_unpin(); NULL is fine there. Without the lock. */
struct name *name_tree_pin(struct name_tree *t, uint32_t number);
void name_tree_unpin(struct name_tree *t, struct name *n);
/* All names: those in the slots from 1 to the first NULL. */
struct name *name_tree_at(const struct name_tree *t, uint32_t slot);
/* NULL if it is unknown. */
struct name *name_tree_find(struct name_tree *t, const struct name *parent,
			    enum name_kind kind, const char *text, size_t len);
/* The same; adds an unknown name. -ENOMEM, -ENOSPC. */
int name_tree_add(struct name_tree *t, struct name *parent, enum name_kind kind,
		  const char *text, size_t len, struct name **out);
/* The reference of a directory, "HOST/PATH". @out has NAME_PATH_MAX bytes. No lock. */
const char *name_tree_path(const struct name_tree *t, const struct name *dir, char *out);

/* The directory of that name, if it is listed; it hides a tag of the same name. Or NULL. */
struct name *name_tree_shown(struct name_tree *t, const struct name *parent,
			     const char *text, size_t len);
/*
 * The next child of @dir after the number @after (0 to begin) that is listed, each name
 * once. NULL at the end.
 */
struct name *name_tree_next(struct name_tree *t, const struct name *dir, uint32_t after);
/* Whether the tags of a directory were fetched recently. */
bool name_tree_is_listed(struct name_tree *t, struct name *dir);
/*
 * Whether an answer about @dir, or about a tag in it, of that time still holds. While its host
 * does not answer, any does.
 */
bool name_tree_holds(struct name_tree *t, struct name *dir, uint32_t asked_at);
/* Notes that the host of @dir answered (@seconds 0), or did not: it is left alone for so long. */
void name_tree_note_failure(struct name_tree *t, struct name *dir, uint32_t seconds);
/* The host above a directory, or NULL. */
struct name *name_tree_host(struct name_tree *t, struct name *dir);
/* Lists the directory, which has answered, and those around it. */
void name_tree_show(struct name_tree *t, struct name *dir);
/* Gives the directory a new time: its children have changed. */
void name_tree_touch(struct name *dir);
/*
 * One thread at a time fetches the tags of a directory or the catalog of a host: waits for
 * the thread that has the turn. True: the caller has it now, until name_tree_end_turn();
 * false: @is_done() says that there is nothing to fetch.
 */
bool name_tree_take_turn(struct name_tree *t, struct name *dir,
			 bool (*is_done)(struct name_tree *t, struct name *dir));
void name_tree_end_turn(struct name_tree *t, struct name *dir);

#endif
