/* SPDX-License-Identifier: MIT */
/*
 * An image of two layers, the upper of which is broken, as plain facts:
 *
 *	step		layer
 *	ADD file	1, 7 bytes of files
 *	ENV A=b		none
 *	RUN make	2
 */
#ifndef TESTS_UNIT_FS_TEXT_EXAMPLE_H
#define TESTS_UNIT_FS_TEXT_EXAMPLE_H

#include <string.h>

#include "base/buf.h"
#include "fs/text/facts.h"
#include "fs/text/history.h"
#include "registry/image/image.h"

#define EXAMPLE_CONFIG                                                                  \
	"{\"os\": \"linux\", \"config\": {\"Env\": [\"A=b\", \"C=d\"]}, \"history\": [" \
	"{\"created\": \"T1\", \"created_by\": \"ADD file:1 in /\"}, "                  \
	"{\"created_by\": \"ENV A=b\", \"empty_layer\": true}, "                        \
	"{\"created_by\": \"RUN make\\n\", \"comment\": \"c\"}]}"

struct example {
	struct image image;
	struct descriptor layers[2];
	struct digest diff_ids[2];
	struct layer_facts layer_facts[2];
	struct history history;
	struct image_facts facts;
};

static void fill_digest(struct digest *d, unsigned char byte)
{
	memset(d, 0, sizeof(*d));
	d->alg = DIGEST_SHA256;
	memset(d->bytes, byte, 32);
}

/* 0 or what history_init() returns. */
__attribute__((unused)) static int example_init(struct example *x, const char *config)
{
	static char name[] = "docker.io/library/app:1", type[] = "application/layer";
	unsigned i;

	memset(x, 0, sizeof(*x));
	for (i = 0; i < 2; i++) {
		fill_digest(&x->layers[i].digest, (unsigned char)(0x11 * (i + 1)));
		fill_digest(&x->diff_ids[i], (unsigned char)(0xa1 + i));
		x->layers[i].media_type = type;
		x->layers[i].size = 100 + i;
	}
	x->layer_facts[0] = (struct layer_facts){NULL, 3, 1, 100, 2048, 7};
	x->layer_facts[1].error = "out of luck";
	fill_digest(&x->image.config_descriptor.digest, 0xcc);
	fill_digest(&x->image.manifest_descriptor.digest, 0xee);
	x->image.manifest_descriptor.media_type = type;
	x->image.name = name;
	x->image.layers = x->layers;
	x->image.diff_ids = x->diff_ids;
	x->image.n_layers = 2;
	strcpy(x->image.platform.os, "linux");
	strcpy(x->image.platform.arch, "amd64");
	buf_init(&x->image.config, 4096);
	buf_append_text(&x->image.config, config);
	x->facts = (struct image_facts){&x->image, &x->history, x->layer_facts,
					"/mnt/app", false};
	return history_init(&x->history, &x->image);
}

__attribute__((unused)) static void example_release(struct example *x)
{
	history_release(&x->history);
	buf_release(&x->image.config);
}

#endif
