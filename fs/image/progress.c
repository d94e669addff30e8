/* SPDX-License-Identifier: MIT */
#include "fs/image/progress.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "registry/remote/client.h"
#include "registry/source_name.h"

/* Without a terminal. */
#define LINE_MS 10000

static uint64_t fetched(const struct progress *p)
{
	struct client_stats stats;

	client_stats(p->images->context->client, &stats);
	return stats.bytes;
}

static void measure_layers(void *arg, const struct view *v, struct bar_state *out)
{
	(void)arg;
	view_progress(v, out);
}

void progress_init(struct progress *p, struct images *images, struct log *log)
{
	const char *source = images->context->options->source, *text, *host = "";
	struct reference ref = {.host = ""};
	int64_t now = clock_ms();
	struct err e;

	*p = (struct progress){
		.images = images, .log = log, .told = now, .measure = measure_layers};
	if (!source_name_kind(source, &text)->is_local &&
	    reference_parse(text, &ref, &e) == 0)
		host = ref.host;
	p->is_terminal = isatty(STDERR_FILENO);
	p->before = fetched(p);
	bar_init(&p->bar, host, now);
}

void progress_draw(struct progress *p)
{
	int64_t now = clock_ms();
	struct bar_state at;
	char text[BAR_TEXT_MAX];

	p->measure(p->arg, p->images->first, &at);
	at.fetched = fetched(p) - p->before;
	at.archive = __atomic_load_n(&p->images->context->archive_read, __ATOMIC_RELAXED);
	bar_describe(&p->bar, &at, now, text);
	if (p->is_terminal) {
		if (bar_draw(&p->bar, &at, now, text))
			__atomic_store_n(&p->log->has_bar, true, __ATOMIC_RELAXED);
	} else if (p->log->is_verbose && text[0] && now - p->told >= LINE_MS) {
		p->told = now;
		log_info(p->log, "%s", text);
	}
}

void progress_wipe(struct progress *p)
{
	if (!p->bar.is_drawn)
		return;
	__atomic_store_n(&p->log->has_bar, false, __ATOMIC_RELAXED);
	bar_wipe(&p->bar);
}
