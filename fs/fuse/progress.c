/* SPDX-License-Identifier: MIT */
#include "fs/fuse/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "fs/image/images.h"
#include "fs/options/log.h"

#define BAR_WIDTH 30
/* A mount whose layers are in the store takes less and needs no bar. */
#define PATIENCE_MS 300

void progress_init(struct progress *p, struct images *images, struct log *log)
{
	p->images = images;
	p->log = log;
	p->is_shown = isatty(STDERR_FILENO);
	p->is_drawn = false;
	p->start = clock_ms();
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

void progress_draw(struct progress *p)
{
	uint64_t ms = clock_ms() - p->start;
	struct images_progress at;
	char bar[BAR_WIDTH + 1];
	size_t full;

	if (!p->is_shown || ms < PATIENCE_MS)
		return;
	images_progress(p->images, &at);
	if (!at.is_resolved)
		return;
	full = at.size ? (size_t)(at.bytes * BAR_WIDTH / at.size) : BAR_WIDTH;
	memset(bar, '-', BAR_WIDTH);
	memset(bar, '#', full < BAR_WIDTH ? full : BAR_WIDTH);
	bar[BAR_WIDTH] = '\0';
	__atomic_store_n(&p->log->has_bar, true, __ATOMIC_RELAXED);
	p->is_drawn = true;
	fprintf(stderr, "\r[%s] %.1f/%.1f MiB  %.1f MiB/s  layer %zu/%zu\033[K", bar,
		mib(at.bytes), mib(at.size), mib(at.bytes) * 1000 / (double)ms, at.layers,
		at.n_layers);
	fflush(stderr);
}

void progress_wipe(struct progress *p)
{
	if (!p->is_drawn)
		return;
	__atomic_store_n(&p->log->has_bar, false, __ATOMIC_RELAXED);
	fprintf(stderr, "\r\033[K");
	fflush(stderr);
	p->is_drawn = false;
}
