/* SPDX-License-Identifier: MIT */
#include "fs/text/bar.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH   30
#define PATIENCE_MS 300
/* A registry that sends nothing for so long is named, and a speed is known by then. */
#define SILENT_MS 2000

void bar_init(struct bar *b, const char *host, int64_t now)
{
	*b = (struct bar){.start = now, .moved = now};
	snprintf(b->host, sizeof(b->host), "%s", host);
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* "waiting for HOST, 12 s"; how much of an archive was read; or the time that is left. */
static void describe_rest(const struct bar *b, const struct bar_state *at, int64_t now,
			  char *out, size_t size)
{
	uint64_t left = at->size - (at->bytes < at->size ? at->bytes : at->size);
	uint64_t ms = (uint64_t)(now - b->start), seconds;

	out[0] = '\0';
	if (b->host[0] && now - b->moved >= SILENT_MS) {
		snprintf(out, size, "waiting for %s, %lld s", b->host,
			 (long long)(now - b->moved) / 1000);
	} else if (!at->is_resolved && at->archive > 0) {
		snprintf(out, size, "reading the archive, %.1f MiB", mib(at->archive));
	} else if (at->fetched > 0 && left > 0 && ms >= SILENT_MS) {
		seconds = (uint64_t)((double)left * (double)ms / (double)at->fetched /
				     1000) +
			  1;
		if (seconds < 120)
			snprintf(out, size, "%llu s left", (unsigned long long)seconds);
		else
			snprintf(out, size, "%llu min left",
				 (unsigned long long)(seconds + 59) / 60);
	}
}

void bar_describe(struct bar *b, const struct bar_state *at, int64_t now,
		  char text[BAR_TEXT_MAX])
{
	int64_t ms = now > b->start ? now - b->start : 1;
	char rest[REFERENCE_HOST_MAX + 64];

	if (at->bytes + at->fetched != b->seen) {
		b->seen = at->bytes + at->fetched;
		b->moved = now;
	}
	describe_rest(b, at, now, rest, sizeof(rest));
	if (at->is_resolved)
		snprintf(text, BAR_TEXT_MAX,
			 "%.1f/%.1f MiB  %.1f MiB/s  layer %zu/%zu%s%s", mib(at->bytes),
			 mib(at->size), mib(at->fetched) * 1000 / (double)ms, at->layers,
			 at->n_layers, rest[0] ? "  " : "", rest);
	else
		snprintf(text, BAR_TEXT_MAX, "%s", rest);
}

bool bar_draw(struct bar *b, const struct bar_state *at, int64_t now, const char *text)
{
	char bar[BAR_WIDTH + 1];
	size_t full = at->size ? (size_t)(at->bytes * BAR_WIDTH / at->size) : BAR_WIDTH;

	if (now - b->start < PATIENCE_MS || !text[0])
		return b->is_drawn;
	memset(bar, '-', BAR_WIDTH);
	memset(bar, '#', full < BAR_WIDTH ? full : BAR_WIDTH);
	bar[BAR_WIDTH] = '\0';
	b->is_drawn = true;
	if (at->is_resolved)
		fprintf(stderr, "\r[%s] %s\033[K", bar, text);
	else
		fprintf(stderr, "\r%s\033[K", text);
	fflush(stderr);
	return true;
}

void bar_wipe(struct bar *b)
{
	if (!b->is_drawn)
		return;
	fprintf(stderr, "\r\033[K");
	fflush(stderr);
	b->is_drawn = false;
}

static void end_by_signal(int signal_number)
{
	static const char wipe[] = "\r\033[K";

	if (write(STDERR_FILENO, wipe, sizeof(wipe) - 1) < 0)
		_exit(1);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

void bar_wipe_at_signals(void)
{
	struct sigaction action = {.sa_handler = end_by_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}
