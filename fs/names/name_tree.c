/* SPDX-License-Identifier: MIT */
#include "fs/names/name_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "fs/tree/identity.h"
#include "registry/image_source.h"

/* A name's number is its slot in the table and, above that, how often the slot was used. */
#define SLOT_MASK (TABLE_ITEMS_MAX - 1)
/* Names that are looked at for one to forget. */
#define FORGET_STEPS 64

struct name *name_tree_at(const struct name_tree *t, uint32_t slot)
{
	return table_get(&t->table, slot);
}

struct name *name_tree_get(const struct name_tree *t, uint32_t number)
{
	struct name *n = name_tree_at(t, number & SLOT_MASK);

	return n && n->number == number ? n : NULL;
}

struct name *name_tree_pin(struct name_tree *t, uint32_t number)
{
	struct name *n;

	pthread_mutex_lock(&t->lock);
	n = name_tree_get(t, number);
	if (n) {
		n->pins++;
		n->is_recent = true;
	}
	pthread_mutex_unlock(&t->lock);
	return n;
}

void name_tree_unpin(struct name_tree *t, struct name *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&t->lock);
	n->pins--;
	pthread_mutex_unlock(&t->lock);
}

static uint32_t *bucket_of(struct name_tree *t, const struct name *parent,
			   enum name_kind kind, const char *text, size_t len)
{
	uint64_t h = identity_path(((uint64_t)kind << 32) + (parent ? parent->number : 0),
				   text, len);

	return &t->buckets[h % NAME_BUCKETS];
}

struct name *name_tree_find(struct name_tree *t, const struct name *parent,
			    enum name_kind kind, const char *text, size_t len)
{
	uint32_t number = *bucket_of(t, parent, kind, text, len);
	struct name *n;

	for (; number; number = n->next) {
		n = name_tree_get(t, number);
		if (n->kind == kind && n->parent == parent->number &&
		    strlen(n->text) == len && memcmp(n->text, text, len) == 0) {
			n->is_recent = true;
			return n;
		}
	}
	return NULL;
}

/* Where the children begin whose numbers are greater. */
static size_t children_after(const struct name_dir *d, uint32_t number)
{
	size_t low = 0, high = d->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (d->children[mid] <= number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int add_child(struct name_dir *d, uint32_t number)
{
	size_t at = children_after(d, number);
	int rc = array_grow(&d->children, d->n, sizeof(*d->children));

	if (rc < 0)
		return rc;
	memmove(d->children + at + 1, d->children + at,
		(d->n++ - at) * sizeof(*d->children));
	d->children[at] = number;
	return 0;
}

static void free_name(struct name *n)
{
	if (n->kind == NAME_DIR) {
		image_source_close(n->dir.image_source);
		free(n->dir.children);
	}
	free(n);
}

/* Whether nobody uses the name, and no registry is known to have it. */
static bool can_be_forgotten(const struct name_tree *t, const struct name *n)
{
	if (n->pins > 0 || n->kind == NAME_IMAGE)
		return false;
	if (n->kind == NAME_DIR)
		return !n->dir.is_shown && n->dir.n == 0 && !n->dir.is_busy;
	return !n->tag.resolved_at &&
	       (!n->tag.listing ||
		n->tag.listing < name_tree_get(t, n->parent)->dir.listing);
}

static void take_out(struct name_tree *t, const struct name *n)
{
	struct name *parent = name_tree_get(t, n->parent);
	struct name_dir *d = &parent->dir;
	uint32_t *link = bucket_of(t, parent, n->kind, n->text, strlen(n->text));
	size_t end = children_after(d, n->number);

	while (*link != n->number)
		link = &name_tree_get(t, *link)->next;
	*link = n->next;
	memmove(d->children + end - 1, d->children + end,
		(d->n-- - end) * sizeof(*d->children));
}

/*
 * A slot for a new name: once there are many, that of one that was not used since the
 * last round. 0: none was found.
 */
static uint32_t forget_one(struct name_tree *t)
{
	uint32_t n_slots = table_count(&t->table), number;
	unsigned i;

	for (i = 0; i < FORGET_STEPS && n_slots > NAMES_MANY; i++) {
		struct name *n;

		t->hand = t->hand + 1 < n_slots ? t->hand + 1 : 1;
		n = name_tree_at(t, t->hand);
		if (!can_be_forgotten(t, n))
			continue;
		if (n->is_recent) {
			n->is_recent = false;
			continue;
		}
		number = n->number;
		take_out(t, n);
		table_set(&t->table, t->hand, NULL);
		free_name(n);
		return number + TABLE_ITEMS_MAX;
	}
	return 0;
}

static struct name *new_name(const struct name *parent, enum name_kind kind,
			     const char *text, size_t len)
{
	struct name *n = calloc(1, sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	n->kind = kind;
	n->parent = parent ? parent->number : 0;
	memcpy(n->text, text, len);
	if (kind == NAME_DIR) {
		n->dir.ino = identity_path(parent ? parent->dir.ino : IDENTITY_ROOT, text,
					   len);
		n->dir.depth = parent ? parent->dir.depth + 1 : 0;
		name_tree_touch(n);
	} else if (kind == NAME_TAG) {
		n->tag.seen = time(NULL);
	}
	return n;
}

/* Gives the name a number. */
static int add_to_table(struct name_tree *t, struct name *n)
{
	n->number = forget_one(t);
	if (n->number == 0)
		return table_add(&t->table, n, &n->number);
	table_set(&t->table, n->number & SLOT_MASK, n);
	return 0;
}

static int add(struct name_tree *t, struct name *parent, enum name_kind kind,
	       const char *text, size_t len, struct name **out)
{
	uint32_t *bucket = bucket_of(t, parent, kind, text, len);
	struct name *n = new_name(parent, kind, text, len);
	int rc;

	if (!n)
		return -ENOMEM;
	if (parent)
		parent->pins++;
	rc = add_to_table(t, n);
	/* An image keeps its directory. */
	if (parent && (rc < 0 || kind != NAME_IMAGE))
		parent->pins--;
	if (rc < 0) {
		free_name(n);
		return rc;
	}
	n->is_recent = true;
	n->next = *bucket;
	*bucket = n->number;
	*out = n;
	if (parent && kind != NAME_IMAGE && add_child(&parent->dir, n->number) < 0)
		n->pins++; /* not listed, but can be looked up */
	return 0;
}

int name_tree_add(struct name_tree *t, struct name *parent, enum name_kind kind,
		  const char *text, size_t len, struct name **out)
{
	*out = name_tree_find(t, parent, kind, text, len);
	return *out ? 0 : add(t, parent, kind, text, len, out);
}

int name_tree_new(const char *prefix, uint32_t ttl, struct name_tree **out)
{
	struct name_tree *t = calloc(1, sizeof(*t));
	const char *at = prefix;
	uint32_t number;
	struct name *top;
	int rc;

	if (!t)
		return -ENOMEM;
	t->ttl = ttl;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	rc = table_add(&t->table, NULL, &number); /* number 0 is unused */
	if (rc == 0)
		rc = add(t, NULL, NAME_DIR, prefix, strlen(prefix), &top);
	if (rc < 0) {
		name_tree_free(t);
		return rc;
	}
	for (top->dir.depth = *at != '\0'; (at = strchr(at, '/')); at++)
		top->dir.depth++;
	top->dir.is_shown = true;
	*out = t;
	return 0;
}

void name_tree_free(struct name_tree *t)
{
	uint32_t i;
	struct name *n;

	if (!t)
		return;
	for (i = 1; (n = name_tree_at(t, i)); i++)
		free_name(n);
	table_release(&t->table);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

const char *name_tree_path(const struct name_tree *t, const struct name *dir, char *out)
{
	size_t at = NAME_PATH_MAX - 1, len;

	out[at] = '\0';
	for (; dir; dir = name_tree_get(t, dir->parent)) {
		len = strlen(dir->text);
		if (len == 0)
			continue; /* the top, if it lists hosts */
		if (len + 1 > at)
			break; /* too long for a reference */
		if (out[at])
			out[--at] = '/';
		at -= len;
		memcpy(out + at, dir->text, len);
	}
	return memmove(out, out + at, NAME_PATH_MAX - at);
}

bool name_tree_holds(struct name_tree *t, struct name *dir, uint32_t asked_at)
{
	const struct name *host = name_tree_host(t, dir);
	uint32_t now = clock_seconds();

	return now - asked_at < t->ttl || (host && now < host->dir.failing_until);
}

bool name_tree_is_listed(struct name_tree *t, struct name *dir)
{
	return dir->dir.is_listed && name_tree_holds(t, dir, dir->dir.listed_at);
}

void name_tree_note_failure(struct name_tree *t, struct name *dir, uint32_t seconds)
{
	struct name *host = name_tree_host(t, dir);

	if (host)
		host->dir.failing_until = seconds ? clock_seconds() + seconds : 0;
}

struct name *name_tree_shown(struct name_tree *t, const struct name *parent,
			     const char *text, size_t len)
{
	struct name *dir = name_tree_find(t, parent, NAME_DIR, text, len);

	return dir && dir->dir.is_shown ? dir : NULL;
}

/* While a new list is being fetched, its tags are in the tree beside the old ones. */
static bool is_listed(struct name_tree *t, const struct name *dir, const struct name *n)
{
	if (n->kind == NAME_TAG)
		return dir->dir.is_listed && n->tag.listing >= dir->dir.listing &&
		       !name_tree_shown(t, dir, n->text, strlen(n->text));
	return n->dir.is_shown;
}

struct name *name_tree_next(struct name_tree *t, const struct name *dir, uint32_t after)
{
	const struct name_dir *d = &dir->dir;
	size_t at = children_after(d, after);
	struct name *n;

	for (; at < d->n; at++) {
		n = name_tree_get(t, d->children[at]);
		if (is_listed(t, dir, n))
			return n;
	}
	return NULL;
}

struct name *name_tree_host(struct name_tree *t, struct name *dir)
{
	while (dir && dir->dir.depth > 1 && dir->parent)
		dir = name_tree_get(t, dir->parent);
	return dir && dir->dir.depth > 0 ? dir : NULL;
}

void name_tree_touch(struct name *dir)
{
	dir->dir.changed = clock_realtime();
}

void name_tree_show(struct name_tree *t, struct name *dir)
{
	struct name *around;

	for (; dir && !dir->dir.is_shown; dir = around) {
		dir->dir.is_shown = true;
		around = name_tree_get(t, dir->parent);
		if (around)
			name_tree_touch(around);
	}
}

bool name_tree_take_turn(struct name_tree *t, struct name *dir,
			 bool (*is_done)(struct name_tree *t, struct name *dir))
{
	while (dir->dir.is_busy)
		pthread_cond_wait(&t->changed, &t->lock);
	if (is_done(t, dir))
		return false;
	dir->dir.is_busy = true;
	return true;
}

void name_tree_end_turn(struct name_tree *t, struct name *dir)
{
	dir->dir.is_busy = false;
	pthread_cond_broadcast(&t->changed);
}
