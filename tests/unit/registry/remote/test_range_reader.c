/* SPDX-License-Identifier: MIT */
/*
 * Large ranges by several pieces at once, from a server on loopback that answers each
 * request as a function says, in a thread of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/source.h"
#include "registry/remote/blob.h"
#include "registry/remote/client.h"
#include "registry/image/reference.h"
#include "registry/remote/remote.h"
#include "tests/unit/test.h"

#define MIB  (1u << 20)
#define SIZE (21 * MIB + 12345)

static unsigned char *content; /* SIZE bytes */

enum does {
	GOOD,
	WHOLE,	   /* 200 and all of it */
	ELSEWHERE, /* a range that begins a byte later */
	REFUSE,	   /* 403 */
	BUSY,	   /* 503 */
	SHORT,	   /* ends in the middle, against its Content-Length */
	PART,	   /* ends in the middle, and says so */
	DROP,	   /* not a byte */
	FAULTS,
	COMPANY, /* sends half, and the rest when there are other requests */
	LATE,	 /* the same, after half a second */
};

static struct server {
	int fd;
	unsigned port;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	/* What to do with the @n-th request, for bytes from @first on. */
	enum does (*plan)(unsigned n, uint64_t first);
	unsigned asked;
	unsigned threads;
	uint64_t firsts[256];
	unsigned seed;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static bool send_all(int fd, const void *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Until another request came, or ten seconds passed: then it never will. */
static void wait_for_company(unsigned n)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	pthread_mutex_lock(&server.lock);
	while (server.asked < n + 2 &&
	       pthread_cond_timedwait(&server.moved, &server.lock, &until) == 0)
		;
	pthread_mutex_unlock(&server.lock);
}

/* False: the connection ends. */
static bool give(int fd, unsigned n, enum does what, uint64_t first, uint64_t last,
		 bool ranged)
{
	struct linger now = {.l_onoff = 1};
	char head[256];
	uint64_t len;

	if (what == WHOLE || !ranged) {
		snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", SIZE);
		return send_all(fd, head, strlen(head)) && send_all(fd, content, SIZE);
	}
	if (what == REFUSE || what == BUSY) {
		snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n",
			 what == BUSY ? "503 Busy" : "403 No");
		return send_all(fd, head, strlen(head));
	}
	if (what == DROP) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		return false;
	}
	if (what == PART)
		last = first + (last - first) / 2;
	first += what == ELSEWHERE;
	len = last + 1 - first;
	snprintf(head, sizeof(head),
		 "HTTP/1.1 206 Part\r\nContent-Range: bytes %llu-%llu/%u\r\n"
		 "Content-Length: %llu\r\n\r\n",
		 (unsigned long long)first, (unsigned long long)last, SIZE,
		 (unsigned long long)len);
	if (!send_all(fd, head, strlen(head)))
		return false;
	if (what == LATE)
		nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
	if (what == SHORT || what == COMPANY || what == LATE) {
		uint64_t half = len / 2 + 1;

		if (!send_all(fd, content + first, half) || what == SHORT)
			return false;
		wait_for_company(n);
		return send_all(fd, content + first + half, len - half);
	}
	return send_all(fd, content + first, len);
}

static bool answer(int fd, const char *request)
{
	const char *range = strcasestr(request, "\r\nRange: bytes=");
	uint64_t first = 0, last = SIZE - 1;
	enum does what;
	unsigned n;

	if (range) {
		char *end;

		first = strtoull(range + 15, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtoull(end + 1, NULL, 10);
	}
	pthread_mutex_lock(&server.lock);
	n = server.asked++;
	if (n < 256)
		server.firsts[n] = first;
	what = server.plan(n, first);
	pthread_cond_broadcast(&server.moved);
	pthread_mutex_unlock(&server.lock);
	return give(fd, n, what, first, last, range != NULL);
}

static void *serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char request[4096];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, request + len, sizeof(request) - 1 - len, 0)) > 0) {
		len += (size_t)n;
		request[len] = '\0';
		if (!strstr(request, "\r\n\r\n"))
			continue;
		if (strncmp(request, "GET ", 4) || !answer(fd, request))
			break;
		len = 0;
	}
	close(fd);
	pthread_mutex_lock(&server.lock);
	server.threads--;
	pthread_cond_broadcast(&server.moved);
	pthread_mutex_unlock(&server.lock);
	return NULL;
}

static void *serve(void *arg)
{
	pthread_t thread;
	int fd;

	(void)arg;
	while ((fd = accept(server.fd, NULL, NULL)) >= 0) {
		pthread_mutex_lock(&server.lock);
		server.threads++;
		pthread_mutex_unlock(&server.lock);
		if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) != 0)
			exit(1);
		pthread_detach(thread);
	}
	return NULL;
}

static void plan(enum does (*to)(unsigned n, uint64_t first))
{
	pthread_mutex_lock(&server.lock);
	server.plan = to;
	server.asked = 0;
	pthread_mutex_unlock(&server.lock);
}

struct bench {
	struct client *client;
	struct remote *remote;
	struct source *blob;
};

static void bench_open(struct bench *b, unsigned timeout)
{
	struct client_options options = {.timeout = timeout, .insecure = true};
	struct descriptor d = {.size = SIZE, .digest.alg = DIGEST_SHA256};
	char name[64];
	struct reference ref;
	struct err e = {""};

	snprintf(name, sizeof(name), "127.0.0.1:%u/a", server.port);
	if (reference_parse(name, &ref, &e) < 0 ||
	    client_new(&options, NULL, &b->client, &e) < 0 ||
	    remote_new(b->client, &ref, &b->remote, &e) < 0 ||
	    blob_new(b->remote, &d, &b->blob, &e) < 0) {
		printf("# %s\n", e.text);
		exit(1);
	}
}

static void bench_close(struct bench *b)
{
	source_unref(b->blob);
	remote_free(b->remote);
	client_free(b->client);
}

/* How the stream ends; -1 for wrong bytes. @pause: ms that the reader takes for a MiB. */
static ssize_t stream_all(struct source *blob, uint64_t at, unsigned pause, struct err *e)
{
	struct stream *st = NULL;
	uint64_t rest = 0;
	const void *data;
	ssize_t n;

	if (source_stream(blob, at, &st, e) < 0)
		return -1;
	while ((n = stream_next(st, &data, e)) > 0) {
		if (at + (uint64_t)n > SIZE || memcmp(data, content + at, (size_t)n)) {
			n = -1;
			break;
		}
		at += (uint64_t)n;
		rest += (uint64_t)n;
		for (; pause && rest >= MIB; rest -= MIB)
			nanosleep(&(struct timespec){.tv_nsec = pause * 1000000}, NULL);
	}
	stream_close(st);
	return n == 0 && at != SIZE ? -1 : n;
}

static enum does all_good(unsigned n, uint64_t first)
{
	(void)n, (void)first;
	return GOOD;
}

static enum does in_company(unsigned n, uint64_t first)
{
	(void)first;
	return n < 2 ? COMPANY : GOOD;
}

static enum does late_in_company(unsigned n, uint64_t first)
{
	(void)first;
	return n == 0 ? LATE : GOOD;
}

static enum does whole(unsigned n, uint64_t first)
{
	(void)n, (void)first;
	return WHOLE;
}

/* Each piece is asked by more than one request: the first is answered so. */
static enum does first_fault;

static enum does once(unsigned n, uint64_t first)
{
	unsigned i;

	for (i = 0; i < n && i < 256; i++) {
		if (server.firsts[i] == first)
			return GOOD;
	}
	return n == 0 || first % (2 * MIB) != server.firsts[0] % (2 * MIB) ? GOOD
									   : first_fault;
}

static enum does dice(unsigned n, uint64_t first)
{
	(void)n, (void)first;
	return rand_r(&server.seed) % 3 ? GOOD
					: (enum does)(rand_r(&server.seed) % FAULTS);
}

static void test_at_once(void)
{
	unsigned char *got = malloc(9 * MIB);
	struct err e = {""};
	struct bench b;

	plan(in_company);
	bench_open(&b, 20);
	is_int(source_pread(b.blob, got, 9 * MIB, 1000, &e), 9 * MIB,
	       "a large range (%s)", e.text);
	ok(memcmp(got, content + 1000, 9 * MIB) == 0, "the right bytes");
	is_int(server.asked, 5, "by pieces that are asked at once");
	plan(late_in_company);
	is_int(stream_all(b.blob, 0, 0, &e), 0, "a stream that is late (%s)", e.text);
	is_int(server.asked, 11, "by pieces, too");
	plan(all_good);
	is_int(stream_all(b.blob, 0, 300, &e), 0, "a stream whose reader is slow");
	is_int(server.asked, 2, "by one piece, and the rest");
	plan(all_good);
	is_int(source_pread(b.blob, got, 2 * MIB, 5, &e), 2 * MIB,
	       "a range of one piece");
	is_int(server.asked, 1, "by one request");
	bench_close(&b);
	free(got);
}

static void test_faults(void)
{
	static const struct {
		enum does fault;
		const char *what;
		unsigned most; /* requests */
	} rows[] = {
		{REFUSE, "refused", 5 + 4 + 1},	     {BUSY, "busy", 5 + 4 + 1},
		{ELSEWHERE, "elsewhere", 5 + 4 + 1}, {DROP, "dropped", 5 + 4 + 1},
		{SHORT, "short", 5 + 4 + 1},	     {PART, "in part", 5 + 4 + 1},
		{WHOLE, "all of it", 5 + 4 + 1},
	};
	unsigned char *got = malloc(9 * MIB);
	struct bench b;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};

		first_fault = rows[i].fault;
		plan(once);
		bench_open(&b, 20);
		is_int(source_pread(b.blob, got, 9 * MIB, 1000, &e), 9 * MIB,
		       "what is asked ahead is %s (%s)", rows[i].what, e.text);
		ok(memcmp(got, content + 1000, 9 * MIB) == 0, "the right bytes");
		ok(server.asked <= rows[i].most, "by %u requests", server.asked);
		plan(once);
		is_int(stream_all(b.blob, 0, 0, &e), 0, "the same of a stream (%s)",
		       e.text);
		bench_close(&b);
	}
	plan(whole);
	bench_open(&b, 20);
	is_int(stream_all(b.blob, 0, 0, NULL), 0, "a stream from one without ranges");
	is_int(server.asked, 1, "by one request");
	bench_close(&b);
	free(got);
}

static void test_random(void)
{
	unsigned seed;
	struct bench b;

	for (seed = 1; seed <= 6; seed++) {
		struct err e = {""};
		ssize_t n;

		plan(dice);
		server.seed = seed;
		bench_open(&b, 20);
		n = stream_all(b.blob, seed * 777, 0, &e);
		/* ELSEWHERE and REFUSE may be the last word. */
		ok(n == 0 || n == -EBADMSG || n == -EACCES, "seed %u: %s", seed,
		   n < 0 ? e.text : "whole");
		ok(n == 0 || e.text[0], "with a sentence if not");
		bench_close(&b);
	}
}

/* Left in the middle, with pieces on their way. */
static void test_left(void)
{
	struct stream *st = NULL;
	struct err e = {""};
	const void *data;
	struct bench b;
	unsigned i;

	plan(late_in_company);
	bench_open(&b, 20);
	for (i = 0; i < 3; i++) {
		uint64_t at = 0;
		ssize_t n;

		is_int(source_stream(b.blob, 0, &st, &e), 0, "a stream");
		while (at < (i + 1) * MIB + MIB / 2 &&
		       (n = stream_next(st, &data, &e)) > 0)
			at += (uint64_t)n;
		stream_close(st);
	}
	bench_close(&b);
}

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	pthread_t thread;
	size_t i;

	/* The machine's configuration must not matter. */
	setenv("HOME", "/nonexistent", 1);
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	setenv("CONTAINERS_REGISTRIES_CONF", "/nonexistent", 1);
	unsetenv("REGISTRY_AUTH_FILE");
	content = malloc(SIZE);
	server.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (!content || server.fd < 0 || bind(server.fd, (void *)&at, sizeof(at)) < 0 ||
	    listen(server.fd, 64) < 0 || getsockname(server.fd, (void *)&at, &len) < 0 ||
	    pthread_create(&thread, NULL, serve, NULL) != 0)
		return 1;
	server.port = ntohs(at.sin_port);
	for (i = 0; i < SIZE; i++)
		content[i] = (unsigned char)(i * 2654435761u >> 13);
	test_at_once();
	test_faults();
	test_random();
	test_left();
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(server.fd);
	pthread_mutex_lock(&server.lock);
	while (server.threads > 0)
		pthread_cond_wait(&server.moved, &server.lock);
	pthread_mutex_unlock(&server.lock);
	free(content);
	return test_done();
}
