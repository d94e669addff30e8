/* SPDX-License-Identifier: MIT */
#include "registry/http/queue.h"

#include "registry/http/host.h"
#include "registry/http/transfer.h"
#include "tests/unit/test.h"

#define MAX 12

static void ignore_wake(const struct transfer_driver *d)
{
	(void)d;
}

static void ignore_transfer(const struct transfer_driver *d, struct transfer *t)
{
	(void)d;
	(void)t;
}

static const struct transfer_driver driver = {ignore_wake, ignore_transfer,
					      ignore_transfer};

/* "s1": a small transfer to host 1; 'b' and 'S' are bulk and spare. */
static struct transfer *make(const char *text)
{
	char origin[] = "http://host:X";
	struct transfer *t = NULL;
	char *copy;

	origin[sizeof(origin) - 2] = text[1];
	copy = strdup(origin);
	if (!copy || transfer_new(&driver, text[0] != 's', text[0] == 'S', copy, &t) < 0)
		exit(77);
	return t;
}

struct bench {
	struct queue queue;
	struct transfer *all[MAX]; /* in the order of arrival, from 'a' on */
	size_t n;
};

static void bench_add(struct bench *b, const char *text)
{
	struct transfer *t = make(text);

	if (queue_add(&b->queue, t) < 0)
		exit(77);
	b->all[b->n++] = t;
}

static char bench_name(const struct bench *b, const struct transfer *t)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		if (b->all[i] == t)
			return (char)('a' + i);
	}
	return '?';
}

/* Starts all that may start, as http.c does; their names in this order. */
static void bench_start(struct bench *b, char *out)
{
	struct transfer *t;
	enum turn turn;

	for (turn = TURN_SMALL; turn <= TURN_SPARE; turn++) {
		while ((t = queue_take(&b->queue, turn))) {
			*out++ = bench_name(b, t);
			if (!transfer_is_closed(t))
				host_enter(t->host, t->bulk);
		}
	}
	*out = '\0';
}

static void bench_release(struct bench *b)
{
	enum turn turn;
	size_t i;

	/* what is left in the queue */
	b->queue.connections = 1000;
	for (turn = TURN_SMALL; turn <= TURN_SPARE; turn++) {
		while (queue_take(&b->queue, turn))
			;
	}
	for (i = 0; i < b->n; i++)
		transfer_free(b->all[i]);
	queue_release(&b->queue);
}

static void test_order(void)
{
	static const struct {
		const char *what;
		unsigned connections;
		const char *queued; /* as make(); then who starts */
		const char *want;
	} rows[] = {
		{"in the order of arrival", 8, "s1 s1 s1", "abc"},
		{"small ones first, spare ones last", 8, "S1 b1 s1 S1 b1 s1", "cfbead"},
		{"no more than a host may have", 3, "s1 s1 s1 s1", "abc"},
		{"each host has its own limit", 2, "s1 s1 s1 s2 s2 s2", "abde"},
		{"bulk ones leave two to the others", 4, "b1 b1 b1 b1", "ab"},
		{"of which small ones make use", 4, "b1 b1 b1 s1 s1 s1", "defa"},
		{"spare ones are bulk, too", 4, "S1 S1 S1 s1", "dab"},
		{"and behind bulk ones", 4, "S1 S1 b1 b1", "cd"},
		{"but not to another host", 4, "b1 b1 b1 S2", "abd"},
		{"of two places one is for bulk", 2, "b1 b1 s1", "ca"},
		{"of one place that one", 1, "b1", "a"},
		{"unless a small one has it", 1, "b1 s1", "b"},
	};
	struct bench b;
	char got[MAX + 1];
	const char *at;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		b = (struct bench){.n = 0};
		queue_init(&b.queue, rows[i].connections);
		for (at = rows[i].queued; *at; at += at[2] ? 3 : 2)
			bench_add(&b, at);
		bench_start(&b, got);
		is_text(got, rows[i].want, "%s", rows[i].what);
		bench_release(&b);
	}
}

static void test_later(void)
{
	struct bench b = {.n = 0};
	char got[MAX + 1];

	queue_init(&b.queue, 3);
	bench_add(&b, "s1");
	bench_add(&b, "b1");
	bench_add(&b, "b1");
	bench_add(&b, "S1");
	bench_add(&b, "S1");
	bench_start(&b, got);
	is_text(got, "ab", "one place is left");
	bench_start(&b, got);
	is_text(got, "", "which no bulk one may take");
	host_leave(b.all[0]->host, false);
	bench_start(&b, got);
	is_text(got, "", "nor by the end of a small one");
	host_leave(b.all[1]->host, true);
	bench_start(&b, got);
	is_text(got, "c", "but by the end of a bulk one");
	queue_move_up(&b.queue, b.all[4]);
	host_leave(b.all[2]->host, true);
	bench_start(&b, got);
	is_text(got, "e", "a spare one that somebody waits for overtakes the others");
	bench_release(&b);
}

static void test_close(void)
{
	struct bench b = {.n = 0};
	char got[MAX + 1];

	queue_init(&b.queue, 1);
	bench_add(&b, "s1");
	bench_add(&b, "s1");
	bench_add(&b, "b1");
	bench_add(&b, "S1");
	bench_start(&b, got);
	is_text(got, "a", "the host is busy");
	transfer_close(b.all[2]);
	transfer_close(b.all[3]);
	bench_start(&b, got);
	is_text(got, "cd", "closed ones leave the queue all the same");
	host_leave(b.all[0]->host, false);
	bench_start(&b, got);
	is_text(got, "b", "and take nobody's place");
	bench_release(&b);
}

int main(void)
{
	test_order();
	test_later();
	test_close();
	return test_done();
}
