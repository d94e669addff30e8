/* SPDX-License-Identifier: MIT */
#include "fs/fuse/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "registry/remote/client.h"
#include "registry/source_name.h"

#define BAR_WIDTH 30
/* A mount whose layers are in the store takes less and needs no bar. */
#define PATIENCE_MS 300
/* A registry that sends nothing for so long is named. */
#define SILENT_MS 2000
/* Without a terminal. */
#define LINE_MS 10000

void progress_init(struct progress *p, struct images *images, struct log *log)
{
	const char *source = images->context->options->source, *text;
	struct reference ref = {.host = ""};
	struct err e;

	*p = (struct progress){.images = images, .log = log};
	if (!source_name_kind(source, &text)->is_local &&
	    reference_parse(text, &ref, &e) == 0)
		strcpy(p->host, ref.host);
	p->is_terminal = isatty(STDERR_FILENO);
	p->start = p->moved = p->told = clock_ms();
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* "waiting for HOST, 12 s", or what is left; @fetched: bytes since the start. */
static void describe_rest(const struct progress *p, const struct images_progress *at,
			  uint64_t fetched, int64_t now, char *out, size_t size)
{
	uint64_t left = at->size - (at->bytes < at->size ? at->bytes : at->size);
	uint64_t ms = (uint64_t)(now - p->start), seconds;

	out[0] = '\0';
	if (p->host[0] && now - p->moved >= SILENT_MS) {
		snprintf(out, size, "waiting for %s, %lld s", p->host,
			 (long long)(now - p->moved) / 1000);
	} else if (fetched > 0 && left > 0 && ms >= SILENT_MS) {
		seconds = (uint64_t)((double)left * (double)ms / (double)fetched / 1000) +
			  1;
		if (seconds < 120)
			snprintf(out, size, "%llu s left", (unsigned long long)seconds);
		else
			snprintf(out, size, "%llu min left",
				 (unsigned long long)(seconds + 59) / 60);
	}
}

static void draw_bar(struct progress *p, const struct images_progress *at,
		     const char *text)
{
	char bar[BAR_WIDTH + 1];
	size_t full = at->size ? (size_t)(at->bytes * BAR_WIDTH / at->size) : BAR_WIDTH;

	memset(bar, '-', BAR_WIDTH);
	memset(bar, '#', full < BAR_WIDTH ? full : BAR_WIDTH);
	bar[BAR_WIDTH] = '\0';
	__atomic_store_n(&p->log->has_bar, true, __ATOMIC_RELAXED);
	p->is_drawn = true;
	if (at->is_resolved)
		fprintf(stderr, "\r[%s] %s\033[K", bar, text);
	else
		fprintf(stderr, "\r%s\033[K", text);
	fflush(stderr);
}

void progress_draw(struct progress *p)
{
	int64_t now = clock_ms(), ms = now - p->start;
	struct images_progress at;
	struct client_stats stats;
	char rest[REFERENCE_HOST_MAX + 64], text[sizeof(rest) + 128];

	images_progress(p->images, &at);
	client_stats(p->images->context->client, &stats);
	if (at.bytes + stats.bytes != p->seen) {
		p->seen = at.bytes + stats.bytes;
		p->moved = now;
	}
	if (p->is_terminal ? ms < PATIENCE_MS
			   : !p->log->is_verbose || now - p->told < LINE_MS)
		return;
	describe_rest(p, &at, stats.bytes, now, rest, sizeof(rest));
	if (!at.is_resolved && !rest[0])
		return;
	snprintf(text, sizeof(text), "%s", rest);
	if (at.is_resolved)
		snprintf(text, sizeof(text),
			 "%.1f/%.1f MiB  %.1f MiB/s  layer %zu/%zu%s%s", mib(at.bytes),
			 mib(at.size), mib(stats.bytes) * 1000 / (double)ms, at.layers,
			 at.n_layers, rest[0] ? "  " : "", rest);
	p->told = now;
	if (p->is_terminal)
		draw_bar(p, &at, text);
	else
		log_info(p->log, "%s", text);
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
