/* SPDX-License-Identifier: MIT */
/*
 * A lower slot is one layer's place in a lower store (lower.h): its index and its decoded
 * bytes, for reading. Calls for one slot: any thread, except open, close and those about
 * the index.
 */
#ifndef BASE_STORE_LOWER_SLOT_H
#define BASE_STORE_LOWER_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest;
struct lower_slot;
struct store;

/*
 * A descriptor of a layer's index, in the upper store or else in a lower one, owned by the
 * caller. -ENOENT if none has it. Creates nothing.
 */
int store_find_index(struct store *s, const struct digest *layer);

/*
 * A layer's place in lower store @k. 0, -ENOMEM, or -ENOENT if the store has nothing of it.
 * The store is borrowed.
 */
int lower_slot_open(struct store *s, size_t k, const struct digest *layer,
		    struct lower_slot **out);
/* NULL is fine. */
void lower_slot_close(struct lower_slot *ls);
/*
 * A descriptor of the index, owned by the caller, or -ENOENT, also for an index that
 * lower_slot_note_damage() was about.
 */
int lower_slot_open_index(struct lower_slot *ls);
/* Notes in the upper store that this index, which was opened last, is damaged. */
void lower_slot_note_damage(struct lower_slot *ls);

/*
 * Opens the decoded bytes, with a lock if that is of use: to be called once, before the
 * calls below. -ENOENT if there are none.
 */
int lower_slot_open_data(struct lower_slot *ls);
/* Their descriptor, borrowed, for reading. */
int lower_slot_data(const struct lower_slot *ls);
/*
 * Whether decoded bytes that are there stay there until lower_slot_close(). If not, they
 * must be copied, and checked, each time.
 */
bool lower_slot_is_held(const struct lower_slot *ls);
/* Whether the row of span @i says that it is in bytes [off, off + len) of the data. */
bool lower_slot_has(const struct lower_slot *ls, size_t i, uint64_t off, uint32_t len);
/* As slot_word(). */
uint32_t lower_slot_word(const struct lower_slot *ls, size_t i);

#endif
