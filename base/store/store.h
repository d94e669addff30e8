/* SPDX-License-Identifier: MIT */
/*
 * The store: what crossed the network, on disk, by digest.
 *
 *	DIR/documents/ALG/HEX       a manifest, index or config, whole
 *	DIR/names/HEX               a small note under a name's SHA-256 (a tag's last digest)
 *	DIR/layers/ALG/HEX/index    a layer's index; never changes once there
 *	DIR/layers/ALG/HEX/data     the layer's decoded bytes at their offsets, sparse
 *	DIR/layers/ALG/HEX/spans    a row for each span: where it is in data, and when it
 *	                            was last read, or that it is not there
 *	DIR/layers/ALG/HEX/lock     held exclusively while the layer is indexed; its mtime
 *	                            says when its holder last got on
 *	DIR/tmp/                    files being written
 *
 * A file appears under its name by rename, after fsync, or not at all: a kill at
 * any moment leaves at worst a file in tmp/, removed by a later open. `data` and
 * `spans` are the exception: a row is set after the bytes are written, and what is
 * read back is checked by its reader, so a power cut costs a second fetch and never
 * shows a wrong byte.
 *
 * The store has a limit. When it is reached, the spans that were read longest ago are
 * punched out of `data`, of layers that no mount has open: those hold a shared lock on
 * it. Indexes go last. A store that is full all the same takes no more data.
 *
 * Any number of processes and threads may use one directory at once.
 */
#ifndef BASE_STORE_STORE_H
#define BASE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct buf;
struct err;
struct stat;

struct store;

/*
 * Opens the store in @dir, which is made with mode 0700 if missing; NULL is the
 * user's own place ($XDG_CACHE_HOME/peelfs; for root /var/cache/peelfs). A
 * directory that is not ours, or cannot be written, is an error with a sentence.
 */
int store_open(const char *dir, struct store **out, struct err *e);
/* Has @dir what stores have, from a first mount on? Nothing is made. */
bool store_is_at(const char *dir);
/*
 * A store for one process, in unnamed files that vanish with it: where the real
 * one cannot be had.
 */
int store_open_private(struct store **out, struct err *e);
/* NULL is fine. Slots must be gone. */
void store_close(struct store *s);
/* The directory; NULL for a private store. Borrowed. */
const char *store_dir(const struct store *s);
/*
 * 0, or the errno with which the first thing was not taken by a store that was opened well,
 * and a sentence: a full disk, a limit that is met, a directory that was removed. All is
 * well but for that it is fetched again.
 */
int store_trouble(const struct store *s, struct err *e);
/* Told of that once, in any thread. Set before the store is used. */
void store_on_trouble(struct store *s, void (*fn)(void *arg, const char *sentence),
		      void *arg);

/*
 * A document of at most @max bytes by its digest. Its bytes are checked: 0 or
 * -ENOENT, also for one that is damaged. @out is an empty buf.
 */
int store_get_document(struct store *s, const struct digest *d, size_t max,
		       struct buf *out);
/* 0 or negative errno; the caller may go on without. */
int store_put_document(struct store *s, const struct digest *d, const void *data,
		       size_t len);

/*
 * A descriptor of a new unnamed file where the store has its own (TMPDIR for a private
 * one), the caller's, or negative errno. Ask store_make_room() first.
 */
int store_new_file(struct store *s);
/*
 * The same for @size bytes that must be had as a file, though nobody keeps them: in TMPDIR
 * where the store has no place. Room is made, and theirs.
 */
int store_new_copy(struct store *s, uint64_t size);
/* Makes room for bytes and writes them at @off of @fd, a file of the store. */
bool store_keep(struct store *s, int fd, const void *data, size_t len, uint64_t off);

/* Hashes all documents and notes, removes those that are damaged, and counts them. */
int store_check_documents(struct store *s, unsigned *bad);

/*
 * A note under a name (at most 4 KiB of text), replaced by a later one: the digest a
 * tag last had. Nothing vouches for it but the directory's mode; a damaged one is -ENOENT.
 */
int store_get_note(struct store *s, const char *name, struct buf *out);
int store_put_note(struct store *s, const char *name, const char *text);

/*
 * One layer's place in the store. Where its directory cannot be made (a full disk), it
 * is a private one, as all those of a private store: nothing of it outlives the process.
 */
struct slot;

/* 0 or -ENOMEM. */
int store_slot(struct store *s, const struct digest *layer, struct slot **out);
void slot_close(struct slot *sl);

/*
 * The right to index this layer, for one process and thread: waits for whoever has
 * it, at most until *@cancelled (-EINTR). A process that dies gives it up. Check for an
 * index again once it is yours. @cancelled may be NULL. A store that has no place for a
 * lock gives the right to everybody.
 *
 * -ETIMEDOUT, with a sentence that names the file, when whoever has it shows no progress for
 * as long as store_set_patience() says: a process that is stopped, or waits for something
 * that never comes. It may go on one day, so the layer's files stay its own:
 * slot_make_private(), or do without the layer.
 */
int slot_lock(struct slot *sl, const bool *cancelled, struct err *e);
void slot_unlock(struct slot *sl);
/* As if the layer's directory could not be made. Not locked, nothing of it in use. */
void slot_make_private(struct slot *sl);
/*
 * Work on some layer that is locked got on: those who wait for any of this process's locks
 * shall go on waiting. Of any, for a layer may have to wait until another's transfer is done.
 * Cheap enough for each chunk of data.
 */
void store_note_work(struct store *s);

/* A descriptor of the index, the caller's to close, or -ENOENT. */
int slot_open_index(struct slot *sl);
/*
 * Is the file of @st still the index? Data and spans that were opened since it was may be
 * those of another one, if not: slot_forget() them, and begin anew.
 */
bool slot_has_index(const struct slot *sl, const struct stat *st);
void slot_forget(struct slot *sl);
/* Removes an index that proved damaged, with the layer's data. */
void slot_drop(struct slot *sl);
/* A descriptor of a new unnamed file for the index, the caller's, or negative errno. */
int slot_new_index(struct slot *sl);
/* Makes what was written to @fd the layer's index: fsync, then its name. */
int slot_publish_index(struct slot *sl, int fd);

/*
 * The descriptor of the decoded bytes, opened for reading and writing; it lives
 * as long as the slot, and keeps others from evicting. Negative errno if there can be
 * none.
 */
int slot_data(struct slot *sl);

/*
 * The rows of @n spans, shared by all processes. Asked for after the index is known, and
 * before it is used; without it nothing is ever filled. The others are wait-free.
 */
int slot_map(struct slot *sl, size_t n);
bool slot_is_filled(const struct slot *sl, size_t i);
/* Are there rows at all? */
bool slot_has_map(const struct slot *sl);
/* Bytes [off, off + len) of data are span @i now; @len 0: it is not there. */
void slot_set_filled(struct slot *sl, size_t i, uint64_t off, uint32_t len);
/* Does the row of span @i, which is filled, say this place, and a time that was? */
bool slot_is_sound(const struct slot *sl, size_t i, uint64_t off, uint32_t len);
/* A word that is kept with span @i, for a checksum: set before the span is filled. */
void slot_set_word(struct slot *sl, size_t i, uint32_t word);
uint32_t slot_word(const struct slot *sl, size_t i);
/* Span @i is read: it goes later than others. */
void slot_touch(struct slot *sl, size_t i);

/* Limits */

/*
 * At most @limit bytes of data and indexes (0: the default, 10 GiB), and never the last
 * twentieth of the disk.
 */
void store_set_limit(struct store *s, uint64_t limit);
/* Seconds that another process may hold us up without progress; 0: the default, 60. */
void store_set_patience(struct store *s, unsigned seconds);
/* Layers' decoded bytes are not to be kept, only their indexes. */
void store_keep_no_data(struct store *s);
/*
 * May @len more bytes be written? Evicts when they do not fit, so it may take a while;
 * false if that was not enough.
 */
bool store_make_room(struct store *s, uint64_t len);

/* What the store holds of one layer. */
struct slot_info {
	struct digest digest;
	uint64_t index_bytes; /* on the disk */
	uint64_t data_bytes;  /* on the disk */
	uint64_t last_read;   /* seconds since the epoch, by the minute; 0 never */
	bool in_use;	      /* some mount has it open */
};

/* Calls @fn for each layer; a negative return ends it and is given back. */
int store_list(struct store *s, int (*fn)(void *arg, const struct slot_info *info),
	       void *arg);
/*
 * Evicts until at most @keep bytes are held; indexes only if @keep is 0. *freed is what
 * was gained.
 */
int store_prune(struct store *s, uint64_t keep, uint64_t *freed, struct err *e);

#endif
