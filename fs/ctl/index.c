/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "fs/ctl/push.h"
#include "fs/ctl/reader.h"
#include "fs/ctl/words.h"
#include "fs/image/layers.h"
#include "fs/image/status.h"
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

/* Loads the image and prints its layers. The exit status. */
static int index_image(const struct words *w, void *arg)
{
	struct err e = {""};
	struct reader r;
	int status = 0, rc = reader_open(&r, w, w->operands[0], &e);

	(void)arg;
	r.log.on_error = NULL; /* each broken layer has a message of its own */
	if (rc == 0)
		rc = mount_load_tree(&r.mount, &e);
	if (rc < 0) {
		status = ctl_error("%s", e.text);
	} else {
		print_layers(r.mount.images.first);
		status = r.mount.images.first->totals.n_broken ? 1 : 0;
	}
	reader_close(&r);
	return status;
}

static int run_index(char **words)
{
	static const struct reader_command index = {"index", "an image", 1, 1,
						    index_image};

	if (words[0] && strcmp(words[0], "push") == 0)
		return push_run(words + 1);
	return reader_run(&index, words, NULL, NULL);
}

const struct ctl_command index_command = {
	"index",
	"index [-o OPT[,OPT...]] SOURCE\n"
	"index push [--platform=all|OS/ARCH] [--dry-run] [-o OPT[,OPT...]] SOURCE\n"
	"index push --trace [--dry-run] [-o OPT[,OPT...]] MOUNTPOINT",
	"  index     load the layers of an image into the store, without a mount; push: and\n"
	"            put their indexes beside the image, so that other machines need not\n"
	"            stream it; --dry-run: say what, and its size; --trace: put beside it\n"
	"            what was read of a mount, so that other mounts fetch that first\n",
	run_index,
};
