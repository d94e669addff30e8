/* SPDX-License-Identifier: MIT */
/*
 * The names of a namespace as far as they are known: hosts, path components, tags, images
 * by digest. Each has a number for ever, since nodes are made of numbers. Plain memory: asks
 * nobody. All under the tree's lock, but what says otherwise.
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
	bool is_shown;	    /* listed in its parent: it answered, or the catalog has it */
	bool is_checked;    /* whether it is there was asked */
	uint32_t checked_at;

	bool is_listed; /* its tags were asked for */
	uint32_t listed_at;
	uint32_t listing; /* counts the lists of tags: tags of older ones are gone */
	bool is_busy;	  /* somebody asks for them, or, of a host, for the catalog */

	/* Of a host: */
	bool has_catalog; /* one was got */
	bool no_catalog;  /* none is offered */
	uint32_t catalog_at;
	uint32_t cataloguing; /* counts the catalogs */
	uint32_t catalogued;  /* of any directory: the last that had it */

	struct timespec changed; /* its mtime */
};

struct name_tag {
	struct digest digest;
	bool has_digest;
	uint32_t resolved_at;
	uint32_t generation; /* a new node each time that a new digest may be told */
	uint32_t listing;
	int64_t seen; /* when it was first seen: its mtime */
};

struct name {
	uint32_t number;
	uint32_t parent;
	uint32_t next; /* in its bucket */
	enum name_kind kind;
	union {
		struct name_dir dir;
		struct name_tag tag;
		uint32_t image; /* number of the view */
	};
	char text[]; /* behind what is of the kind */
};

#define NAME_BUCKETS 16384

struct name_tree {
	uint32_t ttl; /* seconds that what was asked holds */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a directory is busy no more */
	struct table table;	/* readable without the lock, too */
	uint32_t buckets[NAME_BUCKETS];
};

/* @prefix: what the top stands for, "HOST/PATH"; "" for the list of hosts. -ENOMEM. */
int name_tree_new(const char *prefix, uint32_t ttl, struct name_tree **out);
/* NULL is fine. Its origins are closed. */
void name_tree_free(struct name_tree *t);

/* NULL if there is none. Needs no lock: number, parent, kind and text never change. */
struct name *name_tree_get(const struct name_tree *t, uint32_t number);
/* NULL if it is not known. */
struct name *name_tree_find(struct name_tree *t, const struct name *parent,
			    enum name_kind kind, const char *text, size_t len);
/* The same, made if need be. -ENOMEM, -ENOSPC. */
int name_tree_add(struct name_tree *t, struct name *parent, enum name_kind kind,
		  const char *text, size_t len, struct name **out);
/* What a directory stands for, "HOST/PATH". @out has NAME_PATH_MAX bytes. Needs no lock. */
const char *name_tree_path(const struct name_tree *t, const struct name *dir, char *out);

/*
 * The directory of that name, if it is listed. NULL if not. A tag of the same name is not
 * seen beside it.
 */
struct name *name_tree_shown(struct name_tree *t, const struct name *parent,
			     const char *text, size_t len);
/*
 * The next child of @dir after the number @after (0 to begin) that is to be listed: no two
 * of one name. NULL at the end.
 */
struct name *name_tree_next(struct name_tree *t, const struct name *dir, uint32_t after);
/* Are the tags of a directory known, as of not long ago? */
bool name_tree_is_listed(const struct name_tree *t, const struct name *dir);
/* Does something asked at that time still hold? */
bool name_tree_holds(const struct name_tree *t, uint32_t asked_at);
/* The host above a directory, or NULL. */
struct name *name_tree_host(struct name_tree *t, struct name *dir);
/* It has answered: it and what is around it are listed. */
void name_tree_show(struct name_tree *t, struct name *dir);
/* The children of a directory are others now. */
void name_tree_touch(struct name *dir);
/*
 * One thread at a time asks for the list of a directory, or the catalog of a host: waits
 * for another one that does. True: it is this thread's turn, until
 * name_tree_end_turn(); false: @is_done says that nothing is to be asked any more.
 */
bool name_tree_take_turn(struct name_tree *t, struct name *dir,
			 bool (*is_done)(const struct name_tree *t,
					 const struct name *dir));
void name_tree_end_turn(struct name_tree *t, struct name *dir);

#endif
