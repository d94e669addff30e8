/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/num.h"
#include "base/store/documents.h"
#include "base/store/layers.h"
#include "base/store/store.h"
#include "fs/ctl/export.h"
#include "fs/ctl/owners.h"
#include "fs/ctl/words.h"
#include "tar/audit.h"

/* An export has this time for all that it holds, whenever that was read. */
#define NEVER_READ 60

static double to_mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* list */

struct totals {
	const struct owners *owners;
	unsigned layers;
	uint64_t index_bytes;
	uint64_t data_bytes;
};

static void print_owner(void *arg, const char *name, const struct digest *manifest)
{
	char text[DIGEST_TEXT_MAX];

	(void)arg;
	digest_format(manifest, text);
	/* the name may have it already */
	ctl_print("    %s%s%s", name, strstr(name, text) ? "" : "  ",
		  strstr(name, text) ? "" : text);
}

static int list_layer(void *arg, const struct slot_info *info)
{
	char text[DIGEST_TEXT_MAX], when[32] = "-";
	time_t last = (time_t)info->last_read;
	uint64_t data = info->data_bytes + info->partial_bytes;
	const char *state = info->in_use	  ? "  mounted"
			    : info->partial_bytes ? "  interrupted"
						  : "";
	struct totals *totals = arg;
	struct tm tm;

	if (last > NEVER_READ && localtime_r(&last, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	ctl_print("%s  %9.1f  %9.1f  %-*s%s", digest_format(&info->digest, text),
		  to_mib(info->index_bytes), to_mib(data), state[0] ? 16 : 0, when,
		  state);
	owners_each(totals->owners, &info->digest, print_owner, NULL);
	totals->layers++;
	totals->index_bytes += info->index_bytes;
	totals->data_bytes += data;
	return 0;
}

static int list_layers(struct store *s)
{
	struct totals totals = {0};
	struct owners *owners = NULL;
	int rc = owners_new(s, &owners);

	if (rc < 0)
		return ctl_error("%s: %s", store_dir(s), strerror(-rc));
	totals.owners = owners;
	ctl_print("%-71s  index/MiB   data/MiB  last read", "layer");
	rc = store_list(s, list_layer, &totals);
	owners_free(owners);
	if (rc < 0)
		return ctl_error("%s: %s", store_dir(s), strerror(-rc));
	ctl_print("%u layer%s, %.1f MiB of indexes, %.1f MiB of data in %s",
		  totals.layers, totals.layers == 1 ? "" : "s",
		  to_mib(totals.index_bytes), to_mib(totals.data_bytes), store_dir(s));
	return 0;
}

/* verify */

struct check {
	struct store *store;
	struct audit audit;
	char layer[DIGEST_TEXT_MAX];
	unsigned layers;
};

static void print_damage(void *arg, const char *sentence)
{
	const struct check *c = arg;

	ctl_print("%s: %s", c->layer, sentence);
}

static int check_layer(void *arg, const struct slot_info *info)
{
	struct check *c = arg;

	digest_format(&info->digest, c->layer);
	c->layers++;
	return audit_layer(&c->audit, c->store, &info->digest);
}

static int verify_store(struct store *s)
{
	struct check c = {.store = s, .audit = {.on_bad = print_damage}};
	unsigned bad = 0;
	int rc;

	c.audit.arg = &c;
	rc = store_list(s, check_layer, &c);
	if (rc == 0)
		rc = store_check_documents(s, &bad);
	if (rc < 0)
		return ctl_error("%s: %s", store_dir(s), strerror(-rc));
	if (bad)
		ctl_print("damaged documents that were removed: %u", bad);
	bad += c.audit.bad;
	ctl_print("%u layer%s, %.1f MiB of data: %u damaged", c.layers,
		  c.layers == 1 ? "" : "s", to_mib(c.audit.bytes), bad);
	return bad ? 1 : 0;
}

/* prune */

static int prune_store(struct store *s, const char *size)
{
	uint64_t keep = 0, freed = 0;
	struct err e = {""};

	if (size && !num_parse_size(size, &keep))
		return ctl_usage("cache prune: %s: expected a size, as in 500M or 20G, "
				 "up to 16777215T",
				 size);
	if (store_prune(s, keep, &freed, &e) < 0)
		return ctl_error("%s", e.text);
	ctl_print("freed %.1f MiB", to_mib(freed));
	return 0;
}

/* What is asked for; the texts are borrowed from the words. */
struct request {
	const char *command;
	const char *dir;  /* NULL: the usual one */
	const char *size; /* of prune; NULL: none */
};

static int check_words(const struct words *w, struct request *r)
{
	size_t most = strcmp(r->command, "prune") == 0 ? 1 : 0;

	if (w->n_lists > 0 || w->verbose)
		return ctl_usage("cache %s: unknown option %s", r->command,
				 w->verbose ? "-v" : "-o");
	if (w->n_operands > most)
		return ctl_usage("cache %s: %s: too many words", r->command,
				 w->operands[most]);
	if (r->dir && !*r->dir)
		return ctl_usage("cache %s: --dir= needs a directory", r->command);
	r->size = w->operands[0];
	return 0;
}

static int run_request(const struct request *r)
{
	struct store *s = NULL;
	struct err e = {""};
	int status;

	if ((r->dir ? store_open_existing(r->dir, &s, &e) : store_open(NULL, &s, &e)) < 0)
		return ctl_error("%s", e.text);
	if (strcmp(r->command, "list") == 0)
		status = list_layers(s);
	else if (strcmp(r->command, "verify") == 0)
		status = verify_store(s);
	else
		status = prune_store(s, r->size);
	store_close(s);
	return status;
}

static int run_cache(char **words)
{
	struct request r = {.command = words[0]};
	const struct word_flag flags[] = {
		{.name = "dir", .value = &r.dir},
		{.letter = '\0'},
	};
	struct words w;
	struct err e;
	int status;

	if (!r.command)
		return ctl_usage("cache: expected list, verify, prune, warm or export");
	if (strcmp(r.command, "warm") == 0)
		return export_warm(words + 1);
	if (strcmp(r.command, "export") == 0)
		return export_store(words + 1);
	if (strcmp(r.command, "list") != 0 && strcmp(r.command, "verify") != 0 &&
	    strcmp(r.command, "prune") != 0)
		return ctl_usage("cache: unknown command %s", r.command);
	if (words_parse(&w, words + 1, flags, &e) < 0)
		status = ctl_usage("cache %s: %s", r.command, e.text);
	else
		status = check_words(&w, &r);
	if (status == 0)
		status = run_request(&r);
	words_release(&w);
	return status;
}

const struct ctl_command cache_command = {
	"cache",
	"cache list|verify [--dir=DIR]\n"
	"cache prune [--dir=DIR] [SIZE]\n"
	"cache warm [--index-only] [-o OPT[,OPT...]] SOURCE...\n"
	"cache export [--index-only] [-o OPT[,OPT...]] DIR SOURCE...\n",
	"  cache     list: list the layers that are kept; verify: check everything, and\n"
	"            remove what is damaged; prune: keep SIZE, as in 2G, or nothing, but\n"
	"            leave the layers of mounts; warm: fetch whole images; export: make a\n"
	"            store of them for -o lower_cache=\n",
	run_cache,
};
