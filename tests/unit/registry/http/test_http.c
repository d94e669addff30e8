/* SPDX-License-Identifier: MIT */
/* Queue, ring and life of transfers, against a server on loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "registry/http/http.h"
#include "tests/unit/test.h"

static unsigned port;
static unsigned open_now, open_most; /* requests under way; atomic */

static void count(int by)
{
	unsigned now = __atomic_add_fetch(&open_now, (unsigned)by, __ATOMIC_SEQ_CST);
	unsigned most = __atomic_load_n(&open_most, __ATOMIC_SEQ_CST);

	while (now < 1000 && now > most &&
	       !__atomic_compare_exchange_n(&open_most, &most, now, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

/*
 * /bulk is 8 MiB of counting bytes, /small a word, /headers a page of odd fields, and
 * /head has a head alone.
 */
static void answer(int fd, const char *request)
{
	static const char small[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	static const char headers[] =
		"HTTP/1.1 103 Early\r\nLink: <early>\r\n\r\n"
		"HTTP/1.1 206 Part\r\nLINK: <a>; rel=prev\r\nLink:<b>\r\nWWW-Authenticate: Basic\r\n"
		"www-authenticate:   Bearer x=y  \r\nContent-Type: text/plain\r\nDocker-Content-Digest:"
		" d\r\nRetry-After: 3\r\nContent-Range: bytes 0-0/1\r\nLocation: /x\r\n"
		"Content-Length: 1\r\n\r\nx";
	unsigned char chunk[65536];
	size_t i, sent;

	if (strncmp(request, "GET /bulk", 9) == 0) {
		static const char head[] =
			"HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n";

		count(1);
		(void)!send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL);
		for (sent = 0; sent < 8388608; sent += sizeof(chunk)) {
			for (i = 0; i < sizeof(chunk); i++)
				chunk[i] = (unsigned char)((sent + i) * 2654435761u >>
							   11);
			if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0)
				break;
		}
		count(-1);
	} else if (strncmp(request, "GET /headers", 12) == 0) {
		(void)!send(fd, headers, sizeof(headers) - 1, MSG_NOSIGNAL);
	} else if (strncmp(request, "GET /head", 9) == 0) {
		(void)!send(fd, small, sizeof(small) - 1 - 5, MSG_NOSIGNAL);
	} else {
		(void)!send(fd, small, sizeof(small) - 1, MSG_NOSIGNAL);
	}
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
		if (strstr(request, "\r\n\r\n")) {
			answer(fd, request);
			len = 0;
		}
	}
	close(fd);
	return NULL;
}

static void *serve(void *arg)
{
	int listener = *(int *)arg, fd;
	pthread_t thread;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
	}
	return NULL;
}

static struct http *new_http(unsigned connections)
{
	struct http *h = NULL;
	struct err e = {""};

	if (http_new(connections, &h, &e) < 0) {
		printf("# %s\n", e.text);
		exit(1);
	}
	return h;
}

static int get(struct http *h, const char *path, bool bulk, struct transfer **t,
	       struct err *e)
{
	int64_t until = clock_ms() + 5000;
	char url[100];
	struct http_request rq = {.url = url, .bulk = bulk};

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
	return http_open(h, &rq, &until, t, e);
}

static void is_small(struct http *h, const char *what)
{
	struct transfer *t = NULL;
	struct err e = {""};
	struct buf b;

	buf_init(&b, 100);
	is_int(get(h, "/small", false, &t, &e), 0, "%s %s", what, e.text);
	if (t)
		is_int(transfer_read_all(t, &b, clock_ms() + 5000, &e), 0, "is read %s",
		       e.text);
	is_text(buf_text(&b), "hello", "whole");
	transfer_close(t);
	buf_release(&b);
}

static void *read_bulk(void *arg)
{
	struct http *h = arg;
	struct transfer *t = NULL;
	const unsigned char *p;
	const void *data;
	uint64_t at = 0;
	ssize_t n = -1, i;
	struct err e = {""};

	if (get(h, "/bulk", true, &t, &e) < 0)
		return (void *)"not opened";
	/* 100000 is no multiple of anything: the ring is lent in odd pieces. */
	while ((n = transfer_next(t, &data, 100000, clock_ms() + 5000, &e)) > 0) {
		for (p = data, i = 0; i < n; i++, at++) {
			if (p[i] != (unsigned char)(at * 2654435761u >> 11))
				n = -1;
		}
	}
	transfer_close(t);
	return n == 0 && at == 8388608 ? NULL : (void *)"not whole";
}

static void test_bulk(void)
{
	pthread_t threads[20];
	struct transfer *idle[2] = {NULL};
	struct http *h = new_http(4);
	struct err e;
	void *bad;
	size_t i;

	for (i = 0; i < 2; i++)
		is_int(get(h, "/bulk", true, &idle[i], &e), 0,
		       "a bulk transfer that nobody reads");
	is_small(h, "a small request is not behind it");
	for (i = 0; i < 2; i++)
		transfer_close(idle[i]);
	for (i = 0; i < 20; i++) {
		if (pthread_create(&threads[i], NULL, read_bulk, h) != 0)
			exit(1);
	}
	is_small(h, "nor behind twenty");
	for (i = 0; i < 20; i++) {
		pthread_join(threads[i], &bad);
		ok(!bad, "bulk %zu: %s", i, bad ? (char *)bad : "whole");
	}
	ok(__atomic_load_n(&open_most, __ATOMIC_SEQ_CST) <= 4,
	   "never more than four at once: %u", open_most);
	http_free(h);
}

static void *close_later(void *arg)
{
	static const struct timespec time = {.tv_sec = 4};

	nanosleep(&time, NULL);
	transfer_close(arg);
	return NULL;
}

/* Who is in the queue waits for others, but not for a host that is silent. */
static void test_queue(void)
{
	struct http *h = new_http(1);
	struct transfer *first = NULL, *t = NULL;
	int64_t start = clock_ms(), until = start + 300;
	struct http_request rq = {.url = NULL};
	pthread_t thread;
	struct err e = {""};
	char url[100];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/small", port);
	rq.url = url;
	is_int(get(h, "/head", false, &first, &e), 0, "a head");
	is_int(http_open(h, &rq, &until, &t, &e), -ETIMEDOUT, "nothing more comes: %s",
	       e.text);
	ok(until <= start + 300, "and nothing is made up for");
	transfer_close(first);

	is_int(get(h, "/bulk", true, &first, &e), 0, "a bulk transfer that nobody reads");
	if (pthread_create(&thread, NULL, close_later, first) != 0)
		exit(1);
	start = clock_ms();
	until = start + 2500;
	is_int(http_open(h, &rq, &until, &t, &e), 0, "is no fault of the host %s",
	       e.text);
	ok(until > start + 2500, "and is made up for");
	transfer_close(t);
	pthread_join(thread, NULL);
	http_free(h);
}

static void *cancel_later(void *arg)
{
	struct timespec time = {.tv_nsec = 100000000};

	nanosleep(&time, NULL);
	http_cancel(arg);
	return NULL;
}

static void test_cancel(void)
{
	struct http *h = new_http(1);
	struct transfer *first = NULL, *t = NULL;
	int64_t start = clock_ms();
	const void *data;
	struct err e = {""};
	pthread_t thread;
	ssize_t n;

	is_int(get(h, "/head", false, &first, &e), 0,
	       "a head, and a body that does not come");
	if (pthread_create(&thread, NULL, cancel_later, h) != 0)
		exit(1);
	is_int(get(h, "/small", false, &t, &e), -ECANCELED, "what is queued ends: %s",
	       e.text);
	do {
		n = transfer_next(first, &data, 100, start + 10000, &e);
	} while (n > 0);
	is_int(n, -ECANCELED, "and what is under way: %s", e.text);
	is_int(get(h, "/small", false, &t, &e), -ECANCELED, "nothing more begins");
	ok(!http_sleep(h, 10000), "nobody sleeps");
	ok(clock_ms() < start + 9000, "all of it at once");
	transfer_close(first);
	pthread_join(thread, NULL);
	http_free(h);
}

static void test_head(void)
{
	const struct http_head *head;
	struct http_stats stats;
	struct transfer *t = NULL;
	struct http *h = new_http(8);
	struct err e = {""};

	if (!is_int(get(h, "/headers", false, &t, &e), 0, "fields %s", e.text))
		exit(1);
	head = transfer_head(t);
	is_int(head->status, 206, "the last status");
	is_text(head->link, "<a>; rel=prev, <b>",
		"are joined, but not with an early answer's");
	is_text(head->challenge, "Basic, Bearer x=y", "in their order, without blanks");
	is_text(head->content_type, "text/plain", "type");
	is_text(head->digest, "d", "digest");
	is_int(head->retry_after, 3, "time");
	is_text(head->content_range, "bytes 0-0/1", "range");
	is_text(head->location, "/x", "location");
	ok(head->has_length && head->length == 1, "length");
	ok(!head->content_encoding, "what is not said is NULL");
	transfer_close(t);
	http_stats(h, &stats);
	is_int(stats.requests, 1, "is counted");
	http_free(h);
}

static void test_refusals(void)
{
	static const char *const urls[] = {"ftp://127.0.0.1/x", "file:///etc/passwd",
					   "http://", "x"};
	struct transfer *t = NULL;
	struct http *h = new_http(8);
	struct err e = {""};
	int64_t until = clock_ms() + 5000;
	size_t i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct http_request rq = {.url = urls[i]};
		int rc = http_open(h, &rq, &until, &t, &e);

		if (i < 3)
			is_int(rc, -EINVAL, "%s is not asked: %s", urls[i], e.text);
		else
			ok(rc < 0, "%s neither", urls[i]);
	}
	is_int(http_open(h, &(struct http_request){.url = "http://127.0.0.1:1/"}, &until,
			 &t, &e),
	       -ECONNREFUSED, "nobody there: %s", e.text);
	http_free(h);
}

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(at);
	pthread_t thread;

	if (listener < 0 || bind(listener, (void *)&at, sizeof(at)) < 0 ||
	    listen(listener, 64) < 0 || getsockname(listener, (void *)&at, &len) < 0 ||
	    pthread_create(&thread, NULL, serve, &listener) != 0)
		return 1;
	port = ntohs(at.sin_port);
	test_head();
	test_bulk();
	test_queue();
	test_cancel();
	test_refusals();
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	return test_done();
}
