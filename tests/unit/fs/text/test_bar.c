/* SPDX-License-Identifier: MIT */
#include "fs/text/bar.h"

#include <unistd.h>

#include "tests/unit/test.h"

#define MIB (UINT64_C(1) << 20)

static void check_texts(void)
{
	struct bar_state at = {.is_resolved = false};
	char text[BAR_TEXT_MAX];
	struct bar b;

	bar_init(&b, "registry.example", 1000);
	bar_describe(&b, &at, 1000, text);
	ok(text[0] == '\0', "nothing is known at first");
	bar_describe(&b, &at, 3000, text);
	is_text(text, "waiting for registry.example, 2 s", "a silent registry is named");
	at = (struct bar_state){.is_resolved = true,
				.bytes = 2 * MIB,
				.size = 8 * MIB,
				.layers = 1,
				.n_layers = 3,
				.fetched = 2 * MIB};
	bar_describe(&b, &at, 5000, text);
	is_text(text, "2.0/8.0 MiB  0.5 MiB/s  layer 1/3  13 s left",
		"numbers and the rest");
	bar_describe(&b, &at, 7500, text);
	is_text(text,
		"2.0/8.0 MiB  0.3 MiB/s  layer 1/3  waiting for registry.example, 2 s",
		"it is silent again");
	at.size = 8192 * MIB;
	at.fetched = 3 * MIB;
	bar_describe(&b, &at, 9000, text);
	is_text(text, "2.0/8192.0 MiB  0.4 MiB/s  layer 1/3  365 min left", "minutes");
}

static void check_disk(void)
{
	struct bar_state at = {
		.is_resolved = true, .bytes = 9, .size = 9, .layers = 1, .n_layers = 1};
	char text[BAR_TEXT_MAX];
	struct bar b;

	bar_init(&b, "", 0);
	bar_describe(&b, &at, 0, text);
	is_text(text, "0.0/0.0 MiB  0.0 MiB/s  layer 1/1", "no time has passed");
	bar_describe(&b, &at, 60000, text);
	is_text(text, "0.0/0.0 MiB  0.0 MiB/s  layer 1/1", "a disk is never waited for");
	at.archive = 3 * MIB;
	bar_describe(&b, &at, 61000, text);
	is_text(text, "0.0/0.0 MiB  0.0 MiB/s  layer 1/1",
		"nor is an archive of interest");
	at.is_resolved = false;
	bar_describe(&b, &at, 62000, text);
	is_text(text, "reading the archive, 3.0 MiB", "until the image in it is known");
}

/* What is written to stderr by @draws calls, the first at @now. */
static void draw(struct bar *b, const struct bar_state *at, int64_t now, const char *text,
		 char out[512])
{
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	is_int(pipe(fds), 0, "a pipe");
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	if (text)
		bar_draw(b, at, now, text);
	else
		bar_wipe(b);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(fds[0], out, 511);
	out[n > 0 ? n : 0] = '\0';
	close(fds[0]);
}

static void check_drawing(void)
{
	struct bar_state at = {.is_resolved = true, .bytes = 1, .size = 2};
	char out[512];
	struct bar b;

	bar_init(&b, "", 100);
	draw(&b, &at, 300, "text", out);
	is_text(out, "", "not in the first moments");
	draw(&b, &at, 300, NULL, out);
	is_text(out, "", "then there is nothing to wipe");
	draw(&b, &at, 400, "text", out);
	is_text(out, "\r[###############---------------] text\033[K", "half of it");
	at.bytes = 5;
	draw(&b, &at, 500, "text", out);
	is_text(out, "\r[##############################] text\033[K",
		"never more than all");
	at = (struct bar_state){.is_resolved = false};
	draw(&b, &at, 600, "waiting", out);
	is_text(out, "\rwaiting\033[K", "no bar without numbers");
	draw(&b, &at, 700, NULL, out);
	is_text(out, "\r\033[K", "wiped");
}

int main(void)
{
	check_texts();
	check_disk();
	check_drawing();
	return test_done();
}
