/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/secret.h"
#include "fs/options/log.h"
#include "fs/image/layers.h"
#include "fs/options/options.h"
#include "fs/image/status.h"
#include "fs/node/mount.h"
#include "registry/source_name.h"
#include "tar/layer.h"

static void print_layers(const struct view *v)
{
	struct layer_progress p;
	char text[DIGEST_TEXT_MAX];
	size_t i;

	for (i = 0; i < v->layers.n_own; i++) {
		mount_layer_progress(v->layers.own[i], &p);
		ctl_print("%s  %-8s  %-12s %8.1f MiB  %8.1f MiB fetched  %u entries",
			  digest_format(&v->layers.own[i]->descriptor.digest, text),
			  status_from(v->image_source, &p), index_basis_name(p.basis),
			  (double)p.blob_size / (1 << 20), (double)p.fetched / (1 << 20),
			  p.entries);
	}
}

/* Loads the image and prints its layers. 0, or -1: said why. */
static int index_image(const struct options *options, struct log *log)
{
	struct mount mount;
	struct err e = {""};
	int rc = mount_open(&mount, options, log, NULL, &e);

	if (rc == 0)
		rc = mount_load(&mount, &e);
	if (rc == 0)
		rc = mount_load_tree(&mount, &e);
	if (rc == 0)
		print_layers(mount.images.first);
	else
		source_name_suggest(options->source, &e);
	if (rc < 0)
		ctl_error("%s", e.text);
	if (rc == 0 && mount.images.first->totals.n_broken)
		rc = -1;
	mount_close(&mount);
	return rc;
}

/* The words of peelfs without a mount point. */
static int parse_words(struct options *o, char **words, struct err *e)
{
	char *argv[8] = {(char *)"peelctl"}, none[] = "/";
	int argc = 1;

	while (*words && argc < 6)
		argv[argc++] = *words++;
	if (*words)
		return err_set(e, -EINVAL, "%s: too many words", *words);
	argv[argc++] = none;
	return options_parse(o, argc, argv, false, e);
}

static int run_index(char **words)
{
	struct options options;
	struct err e = {""};
	struct log log;
	int rc;

	if (!words[0])
		return ctl_usage("index: expected an image");
	secret_forbid_core();
	/* As peelfs: a closed connection, or a file that may not grow, is an error. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	log_init(&log, false);
	rc = parse_words(&options, words, &e);
	if (rc < 0 || options.action != OPTIONS_MOUNT) {
		options_release(&options);
		return ctl_usage("index: %s",
				 rc < 0 ? e.text : "expected only -o and a source");
	}
	if (source_name_is_namespace(options.source))
		rc = -ctl_error("%s: a name that ends in a slash is not an image",
				options.source);
	else
		rc = index_image(&options, &log);
	options_release(&options);
	return rc < 0 ? 1 : 0;
}

const struct ctl_command index_command = {
	"index",
	"index [-o OPT[,OPT...]] SOURCE",
	"  index     load the layers of an image into the store, without a mount\n",
	run_index,
};
