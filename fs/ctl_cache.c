/* SPDX-License-Identifier: MIT */
/* peelctl cache: what the store holds, less of it, and whether it is sound. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/store.h"
#include "fs/ctl.h"
#include "tar/fills.h"
#include "tar/index.h"

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* list */

struct sums {
	unsigned layers;
	uint64_t index_bytes;
	uint64_t data_bytes;
};

static int list_layer(void *arg, const struct slot_info *info)
{
	char text[DIGEST_TEXT_MAX], when[32] = "never";
	time_t last = (time_t)info->last_read;
	struct sums *sums = arg;
	struct tm tm;

	if (info->last_read && localtime_r(&last, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	printf("%s  %9.1f  %9.1f  %-16s%s\n", digest_format(&info->digest, text),
	       mib(info->index_bytes), mib(info->data_bytes), when,
	       info->in_use ? "  mounted" : "");
	sums->layers++;
	sums->index_bytes += info->index_bytes;
	sums->data_bytes += info->data_bytes;
	return 0;
}

static int list(struct store *s)
{
	struct sums sums = {0};

	printf("%-71s  index/MiB   data/MiB  last read\n", "layer");
	if (store_list(s, list_layer, &sums) < 0)
		return 1;
	printf("%u layers, %.1f MiB of indexes, %.1f MiB of data in %s\n", sums.layers,
	       mib(sums.index_bytes), mib(sums.data_bytes), store_dir(s));
	return 0;
}

/* verify */

struct check {
	struct store *store;
	unsigned layers;
	unsigned bad;
	uint64_t bytes;
};

static bool is_right(struct slot *slot, int fd, uint32_t i, const struct span *sp,
		     char *mem)
{
	return slot_is_sound(slot, i, sp->out, (uint32_t)sp->out_len) &&
	       (!span_can_check(sp) || slot_word(slot, i) == 0) &&
	       fd_read_all(fd, mem, (size_t)sp->out_len, sp->out) == 0 &&
	       fills_check(slot, i, sp, mem);
}

/*
 * Every span that is there. A damaged one is taken out: it is fetched again when it is
 * read, as every reader would have found.
 */
static void check_spans(struct check *c, const char *layer, struct slot *slot,
			const struct index *ix)
{
	uint32_t i, n = index_info(ix)->n_spans;
	int fd = slot_data(slot);
	struct span sp;
	char *mem;

	if (fd < 0 || slot_map(slot, n) < 0)
		return;
	for (i = 0; i < n; i++) {
		if (!slot_is_filled(slot, i) || index_span(ix, i, &sp) < 0)
			continue;
		mem = malloc(sp.out_len + 1);
		if (!mem)
			return;
		if (is_right(slot, fd, i, &sp, mem)) {
			c->bytes += sp.out_len;
		} else {
			printf("%s: bytes %" PRIu64 " to %" PRIu64
			       " are damaged; they will be fetched again\n",
			       layer, sp.out, sp.out + sp.out_len);
			slot_set_filled(slot, i, 0, 0);
			c->bad++;
		}
		free(mem);
	}
}

static int check_layer(void *arg, const struct slot_info *info)
{
	struct index *ix = NULL;
	struct slot *slot = NULL;
	struct check *c = arg;
	struct err e = {""};
	char text[DIGEST_TEXT_MAX];
	int r = store_slot(c->store, &info->digest, &slot);

	if (r < 0)
		return r;
	digest_format(&info->digest, text);
	c->layers++;
	r = slot_open_index(slot);
	if (r == -ENOENT)
		/* being made, or left by a kill: nothing that would be shown */
		goto out;
	if (r >= 0)
		r = index_open(r, &info->digest, &ix, &e);
	if (r == 0)
		r = index_verify(ix);
	if (r == 0) {
		check_spans(c, text, slot, ix);
	} else {
		printf("%s: its index is damaged%s%s; it will be made again\n", text,
		       e.text[0] ? ": " : "", e.text);
		slot_drop(slot);
		c->bad++;
	}
out:
	index_close(ix);
	slot_close(slot);
	return 0;
}

static int verify(struct store *s)
{
	struct check c = {.store = s};
	unsigned bad_documents = 0;

	if (store_list(s, check_layer, &c) < 0 ||
	    store_check_documents(s, &bad_documents) < 0)
		return 1;
	if (bad_documents)
		printf("%u damaged documents were removed\n", bad_documents);
	printf("%u layers, %.1f MiB of data: %u damaged\n", c.layers, mib(c.bytes),
	       c.bad + bad_documents);
	return c.bad + bad_documents ? 1 : 0;
}

/* prune */

static int prune(struct store *s, const char *size)
{
	uint64_t keep = 0, freed = 0;
	struct err e = {""};

	if (size && !num_parse_size(size, &keep))
		return ctl_usage("cache prune: %s: not a size, as 500M or 20G", size);
	if (store_prune(s, keep, &freed, &e) < 0) {
		fprintf(stderr, "peelctl: %s\n", e.text);
		return 1;
	}
	printf("freed %.1f MiB\n", mib(freed));
	return 0;
}

int ctl_cache(char **words)
{
	const char *dir = NULL, *command = words[0];
	struct store *s = NULL;
	struct err e = {""};
	int status;

	if (!command)
		return ctl_usage("cache: list, verify or prune?");
	if (strcmp(command, "list") != 0 && strcmp(command, "verify") != 0 &&
	    strcmp(command, "prune") != 0)
		return ctl_usage("cache: unknown command %s", command);
	words++;
	if (words[0] && strncmp(words[0], "--dir=", 6) == 0)
		dir = *words++ + 6;
	if (words[0] && strcmp(command, "prune") != 0)
		return ctl_usage("cache %s: %s: a word too many", command, words[0]);
	if (words[0] && words[1])
		return ctl_usage("cache prune: %s: a word too many", words[1]);
	if (dir && access(dir, F_OK) < 0) { /* opening would make it */
		fprintf(stderr, "peelctl: %s: %s\n", dir, strerror(errno));
		return 1;
	}
	if (store_open(dir, &s, &e) < 0) {
		fprintf(stderr, "peelctl: %s\n", e.text);
		return 1;
	}
	if (strcmp(command, "list") == 0)
		status = list(s);
	else if (strcmp(command, "verify") == 0)
		status = verify(s);
	else
		status = prune(s, words[0]);
	store_close(s);
	return status;
}
