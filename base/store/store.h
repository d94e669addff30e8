/* SPDX-License-Identifier: MIT */
/*
 * The store: a cache on disk of what was read from registries, addressed by digest.
 *
 *	DIR/documents/ALG/HEX       a manifest, index or config, whole (documents.h)
 *	DIR/names/HEX               a short note, by the SHA-256 of its name (documents.h)
 *	DIR/layers/ALG/HEX/index    a layer's index; never changes once it has this name
 *	DIR/layers/ALG/HEX/data     the layer's decoded bytes at their offsets, sparse
 *	DIR/layers/ALG/HEX/spans    a row per span: where it is in data, and when it was
 *	                            last read, or that it is not there
 *	DIR/layers/ALG/HEX/partial  the start of the layer's compressed blob, until its index
 *	                            has a name (partial.h)
 *	DIR/layers/ALG/HEX/lock     locked exclusively while the layer is indexed; its mtime
 *	                            is the time at which its holder last made progress
 *	DIR/tmp/                    files being written
 *
 * A file gets its name by rename, after fsync. If the process is killed, at worst a
 * file in tmp/ remains, which a later open removes. `data`, `spans` and `partial` are
 * written in place: a row is set after its bytes are written, and a reader of the bytes
 * checks them. So a power cut costs a second fetch, but never shows a wrong byte.
 *
 * The store has a size limit. At the limit, the spans that were read longest ago are
 * punched out of `data` (layers.h), except in layers that a mount has open: a mount
 * holds a shared lock on the data file. The blob of an interrupted first pass goes in the
 * same order. Indexes stay. If that is not enough, the store accepts no more data. Only
 * store_prune() removes indexes, when nothing else is left to remove.
 *
 * Any number of processes and threads may use one directory at once.
 */
#ifndef BASE_STORE_STORE_H
#define BASE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct store;

/*
 * Opens the store in @dir, which is created with mode 0700 if it does not exist. NULL is
 * the user's default ($XDG_CACHE_HOME/peelfs, or ~/.cache/peelfs; for root
 * /var/cache/peelfs). A directory that another user owns or can write to is refused
 * (-EACCES), because bytes from it are shown after no more than a checksum.
 */
int store_open(const char *dir, struct store **out, struct err *e);
/* The same for a directory that is a store already: -ENOENT for any other. */
int store_open_existing(const char *dir, struct store **out, struct err *e);
/* The user's default directory, owned by the caller. NULL without memory. */
char *store_default_dir(void);
/*
 * A store for this process alone, in unnamed files that vanish with it: the fallback if
 * store_open() fails.
 */
int store_open_private(struct store **out, struct err *e);
/* NULL is fine. All slots must be closed before. */
void store_close(struct store *s);
/* The directory, borrowed; NULL for a private store. */
const char *store_dir(const struct store *s);

/* Settings: to be made before the store is used. */

/*
 * At most @limit bytes of data and indexes; 0 is the default, 10 GiB. Independent of it,
 * the last twentieth of the disk stays free.
 */
void store_set_limit(struct store *s, uint64_t limit);
/*
 * How many seconds another process may hold a lock without making progress; 0 is the
 * default, 60.
 */
void store_set_patience(struct store *s, unsigned seconds);
/* Keep only the indexes of layers, not their decoded bytes. */
void store_keep_no_data(struct store *s);
bool store_keeps_data(const struct store *s);
/* Calls @fn for the first trouble (see store_trouble()), in any thread. */
void store_on_trouble(struct store *s, void (*fn)(void *arg, const char *sentence),
		      void *arg);

/*
 * The errno of the first write that failed, with a sentence, or 0: a full disk, a reached
 * limit, a directory that was removed. The store still works, but what it did not accept
 * is fetched again when it is needed.
 */
int store_trouble(const struct store *s, struct err *e);

/*
 * A descriptor of a new unnamed file, owned by the caller, or negative errno. The file is
 * on the store's disk; in $TMPDIR for a private store. Call store_make_room() before
 * writing to it.
 */
int store_new_file(struct store *s);

/* For the modules of this folder only. */

/* Records @code, the errno of a failed write; the first one is reported. */
void store_note_trouble(struct store *s, int code);
/*
 * store_new_file(), or a file in memory if that fails: indexes are small enough for it.
 */
int store_new_index(struct store *s);
/* Makes @fd the file @name in @dir, replacing an older one, after fsync. */
int store_give_name(struct store *s, int fd, int dir, const char *name);
#endif
