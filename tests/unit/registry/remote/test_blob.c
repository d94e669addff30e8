/* SPDX-License-Identifier: MIT */
/*
 * Blobs from a registry that misbehaves: a server on loopback, one connection a
 * request, that does to each blob what its script says.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/source.h"
#include "base/store/store.h"
#include "registry/remote/blob.h"
#include "registry/remote/client.h"
#include "registry/image/reference.h"
#include "registry/remote/remote.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

#define SIZE 300000

static unsigned char content[SIZE];

struct server {
	int fd;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	/* What to do to requests, one letter each; when it ends the last one stays. */
	char script[32];
	unsigned asked;
	char requests[64][1024];
	struct server *elsewhere; /* where 'e' redirects to */
};

static char step(struct server *s, const char *request)
{
	size_t len;
	char c;

	pthread_mutex_lock(&s->lock);
	if (s->asked < 64)
		snprintf(s->requests[s->asked], sizeof(s->requests[0]), "%s", request);
	len = strlen(s->script);
	c = s->script[s->asked < len ? s->asked : len - 1];
	s->asked++;
	pthread_mutex_unlock(&s->lock);
	return c;
}

static void send_text(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void send_bytes(int fd, size_t from, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, content + from, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		from += (size_t)n;
		len -= (size_t)n;
	}
}

static void reset(int fd)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void answer(struct server *s, int fd, const char *request)
{
	const char *range = strcasestr(request, "\r\nRange: bytes=");
	size_t first = 0, last = SIZE - 1, len;
	char head[1024], what = step(s, request);

	if (range) {
		char *end;

		first = strtoul(range + 15, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtoul(end + 1, NULL, 10);
	}
	len = last - first + 1;
	switch (what) {
	case 'i': /* ignores the range */
		send_text(
			fd,
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n");
		send_bytes(fd, 0, SIZE);
		return;
	case 'I': /* a third of that, and the end */
	case 'H': /* or nothing more for long */
		send_text(
			fd,
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n");
		send_bytes(fd, 0, SIZE / 3);
		if (what == 'H')
			(void)!recv(fd, head, sizeof(head), 0);
		return;
	case 'c': /* the same as 'i', in chunks of unknown number */
		send_text(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
		send_bytes(fd, 0, SIZE);
		return;
	case '4':
		send_text(
			fd,
			"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
		return;
	case '3':
		send_text(
			fd,
			"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
		return;
	case '5':
		send_text(
			fd,
			"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
		return;
	case '9':
		send_text(fd,
			  "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nConnection: close\r\n"
			  "Content-Length: 0\r\n\r\n");
		return;
	case 'u':
		send_text(fd, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
			      "Connection: close\r\nContent-Length: 0\r\n\r\n");
		return;
	case 'x': /* not even an answer */
		reset(fd);
		return;
	case 'g':
		send_text(fd, "hello\r\n\r\n");
		return;
	case 'e':
		snprintf(
			head, sizeof(head),
			"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:%u/signed?k=%u\r\n"
			"Connection: close\r\nContent-Length: 0\r\n\r\n",
			s->elsewhere->port, s->asked);
		send_text(fd, head);
		return;
	case 'o': /* round and round */
		send_text(fd,
			  "HTTP/1.1 302 Moved\r\nLocation: /loop\r\nConnection: close\r\n"
			  "Content-Length: 0\r\n\r\n");
		return;
	case 't': /* says that the blob has another size */
		send_text(fd,
			  "HTTP/1.1 206 Part\r\nContent-Range: bytes 0-9/10\r\n"
			  "Content-Length: 10\r\nConnection: close\r\n\r\n0123456789");
		return;
	}
	snprintf(
		head, sizeof(head),
		"HTTP/1.1 206 Part\r\nContent-Range: bytes %zu-%zu/%d\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n%s\r\n",
		what == 'w' ? first + 1 : first, what == 'w' ? last + 1 : last, SIZE,
		what == 'l' ? len + 5000 : len,
		what == 'z' ? "Content-Encoding: gzip\r\n" : "");
	send_text(fd, head);
	if (what == 's' || what == 'r') { /* a third of it, then the end or a reset */
		send_bytes(fd, first, len / 3);
		if (what == 'r')
			reset(fd);
	} else if (what == 'h') { /* a third of it, then nothing for long */
		send_bytes(fd, first, len / 3);
		(void)!recv(fd, head, sizeof(head),
			    0); /* until the client has had enough */
	} else {
		send_bytes(fd, first, len);
		if (what == 'l')
			send_bytes(fd, 0, 5000);
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	char request[4096];
	size_t len;
	ssize_t n;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		len = 0;
		request[0] = '\0';
		while (!strstr(request, "\r\n\r\n") && len < sizeof(request) - 1) {
			n = recv(fd, request + len, sizeof(request) - 1 - len, 0);
			if (n <= 0)
				break;
			len += (size_t)n;
			request[len] = '\0';
		}
		if (strncmp(request, "GET ", 4) == 0) /* and not a try at TLS */
			answer(s, fd, request);
		close(fd);
	}
	return NULL;
}

static void server_start(struct server *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	pthread_mutex_init(&s->lock, NULL);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (s->fd < 0 || bind(s->fd, (void *)&at, sizeof(at)) < 0 ||
	    listen(s->fd, 64) < 0 || getsockname(s->fd, (void *)&at, &len) < 0 ||
	    pthread_create(&s->thread, NULL, serve, s) != 0)
		exit(1);
	s->port = ntohs(at.sin_port);
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	pthread_mutex_destroy(&s->lock);
}

static struct server near, far;

static void script(struct server *s, const char *text)
{
	pthread_mutex_lock(&s->lock);
	snprintf(s->script, sizeof(s->script), "%s", text);
	s->asked = 0;
	pthread_mutex_unlock(&s->lock);
}

struct bench {
	struct store *store; /* or NULL */
	struct client *client;
	struct remote *remote;
	struct source *blob;
};

static void bench_open(struct bench *b, unsigned timeout)
{
	struct client_options options = {.timeout = timeout};
	struct descriptor d = {.size = SIZE, .digest.alg = DIGEST_SHA256};
	char name[64];
	struct reference ref;
	struct err e = {""};

	snprintf(name, sizeof(name), "127.0.0.1:%u/a", near.port);
	if (reference_parse(name, &ref, &e) < 0 ||
	    client_new(&options, b->store, &b->client, &e) < 0 ||
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
	store_close(b->store);
}

/* A pread of @len at @off under each script: the right bytes, or this errno. */
static void test_pread(void)
{
	static const struct {
		const char *script, *far, *what;
		int rc; /* 0: the right bytes */
		unsigned asked;
	} rows[] = {
		{".", "", "a good range", 0, 1},
		{"i", "", "a 200 to a range", 0, 1},
		{"c", "", "a 200 without a length", 0, 1},
		{"l.", "", "more than was asked for", 0, 1},
		{"s.", "", "less than was said", 0, 2},
		{"r.", "", "a reset in the middle", 0, 2},
		{"rrri", "", "three, and then the whole", 0, 4},
		{"h.", "", "a stall", 0, 2},
		{"x.", "", "a reset at once", 0, 0},
		{"5.", "", "busy", 0, 2},
		{"9.", "", "too many requests", 0, 2},
		{"w", "", "a range that begins elsewhere", -EBADMSG, 1},
		{"z", "", "a coding", -EBADMSG, 1},
		{"t", "", "another size", -EBADMSG, 1},
		{"4", "", "not there", -ENOENT, 1},
		{"3", "", "forbidden", -EACCES, 1},
		{"u", "", "a password is wanted", -EACCES, 1},
		{"o", "", "redirects without end", -EIO, 0},
		{"e", ".", "a redirect", 0, 1},
		{"e", "r.", "a reset there", 0, 1},
		{"e", "i", "no ranges there", 0, 1},
	};
	unsigned char got[100000];
	struct err e;
	struct bench b = {0};
	size_t i;
	ssize_t n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e.text[0] = '\0';
		script(&near, rows[i].script);
		script(&far, rows[i].far[0] ? rows[i].far : "4");
		bench_open(&b, 4);
		memset(got, 0xee, sizeof(got));
		n = source_pread(b.blob, got, 50001, 120000, &e);
		is_int(n, rows[i].rc ? rows[i].rc : 50001, "%s", rows[i].what);
		if (rows[i].rc == 0)
			ok(memcmp(got, content + 120000, 50001) == 0, "the right bytes");
		else
			ok(e.text[0] != '\0', "says: %s", e.text);
		ok(got[50001] == 0xee, "and no more");
		if (rows[i].asked)
			is_int(near.asked, rows[i].asked, "requests");
		bench_close(&b);
	}
}

/* The same for a stream from an offset. */
static void test_stream(void)
{
	static const struct {
		const char *script, *what;
		int rc;
	} rows[] = {
		{".", "a good stream", 0},
		{"rsr.", "broken off three times", 0},
		{"ri", "broken off, and then no ranges", 0},
		{"h5x.", "a stall, busy, a reset", 0},
		{"rw", "broken off, and then a wrong range", -EBADMSG},
		{"r4", "broken off, and then gone", -ENOENT},
		{"g", "no HTTP", -EIO},
	};
	struct bench b = {0};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stream *st = NULL;
		uint64_t at = 1000;
		const void *data;
		bool same = true;
		ssize_t n;

		e.text[0] = '\0';
		script(&near, rows[i].script);
		bench_open(&b, 4);
		is_int(source_stream(b.blob, at, &st, &e), 0, "%s", rows[i].what);
		while ((n = stream_next(st, &data, &e)) > 0) {
			same = same && at + (uint64_t)n <= SIZE &&
			       memcmp(data, content + at, (size_t)n) == 0;
			at += (uint64_t)n;
		}
		is_int(n, rows[i].rc, "ends so: %s", e.text);
		ok(same && (n < 0 || at == SIZE), "the right bytes up to %llu",
		   (unsigned long long)at);
		stream_close(st);
		bench_close(&b);
	}
}

/* A signed URL is kept, asked without our secrets, and asked for anew when it expires. */
static void test_redirect(void)
{
	unsigned char got[10];
	struct err e = {""};
	struct bench b = {0};
	size_t i;

	script(&near, "e");
	script(&far, "..3..");
	bench_open(&b, 4);
	for (i = 0; i < 4; i++)
		is_int(source_pread(b.blob, got, 10, 10 * i, &e), 10, "read %zu (%s)", i,
		       e.text);
	is_int(near.asked, 2,
	       "the registry was asked at first, and when the URL had expired");
	is_int(far.asked, 5, "the other host all times");
	ok(strstr(near.requests[0], "GET /v2/a/blobs/sha256:") != NULL, "by GET");
	ok(strstr(far.requests[0], "GET /signed?k=1 ") != NULL, "at the signed URL");
	ok(strstr(far.requests[4], "GET /signed?k=2 ") != NULL, "at the new one");
	for (i = 0; i < 5; i++)
		ok(!strcasestr(far.requests[i], "authorization"),
		   "without Authorization");
	bench_close(&b);
}

/* Who waited in vain is not made to wait so long again, and is served when it can be. */
static void test_vain(void)
{
	unsigned char got[10];
	struct err e = {""};
	struct bench b = {0};
	int64_t start;

	script(&near, ".");
	bench_open(&b, 10);
	is_int(source_pread(b.blob, got, 10, 0, &e), 10, "a host that answers");
	script(&near, "x");
	is_int(source_pread(b.blob, got, 10, 0, &e), -EIO, "and then no more");
	start = clock_ms();
	is_int(source_pread(b.blob, got, 10, 0, &e), -EIO, "asked again");
	ok(clock_ms() - start < 8000, "it is not waited for: %s", e.text);
	script(&near, "x.");
	is_int(source_pread(b.blob, got, 10, 0, &e), 10, "but found when it is back");
	ok(memcmp(got, content, 10) == 0, "the right bytes");
	script(&near, "xxxxx.");
	is_int(source_pread(b.blob, got, 10, 0, &e), 10, "and waited for as before");
	bench_close(&b);
}

/* What does not come has an end. */
static void test_deadline(void)
{
	unsigned char got[10];
	struct err e = {""};
	struct bench b = {0};
	int64_t start;

	script(&near, "5");
	bench_open(&b, 2);
	start = clock_ms();
	is_int(source_pread(b.blob, got, 10, 0, &e), -EIO, "busy for ever");
	ok(clock_ms() - start < 4000, "is given up: %s", e.text);
	bench_close(&b);
}

/* Hosts without ranges, and a store to keep what they send */

static void spool_open(struct bench *b, const char *text, unsigned timeout)
{
	struct err e = {""};

	script(&near, text);
	if (store_open_private(&b->store, &e) < 0) {
		printf("# %s\n", e.text);
		exit(1);
	}
	bench_open(b, timeout);
}

/* A part in the middle, @i-th of some. */
static bool reads_part(struct bench *b, size_t i)
{
	size_t off = i * 77777 % (SIZE - 1000) + 1;
	unsigned char got[999];
	struct err e = {""};
	ssize_t n = source_pread(b->blob, got, sizeof(got), off, &e);

	if (n != sizeof(got))
		printf("# %zd: %s\n", n, e.text);
	return n == sizeof(got) && memcmp(got, content + off, sizeof(got)) == 0;
}

static bool streams(struct bench *b, size_t at)
{
	struct stream *st = NULL;
	struct err e = {""};
	const void *data;
	bool same = true;
	ssize_t n;

	if (source_stream(b->blob, at, &st, &e) < 0)
		return false;
	while ((n = stream_next(st, &data, &e)) > 0) {
		same = same && at + (size_t)n <= SIZE &&
		       memcmp(data, content + at, (size_t)n) == 0;
		at += (size_t)n;
	}
	stream_close(st);
	if (n < 0)
		printf("# %zd: %s\n", n, e.text);
	return same && n == 0 && at == SIZE;
}

static void test_once(void)
{
	static const struct {
		const char *script, *far, *what;
		unsigned asked, asked_far; /* 0: not counted */
	} rows[] = {
		{"i", "4", "no ranges", 1, 0},
		{"c", "4", "no ranges and no length", 1, 0},
		{".i", "4", "a range, and then no more", 2, 0},
		{"IIi", "4", "broken off twice", 3, 0},
		{"HIi", "4", "a stall and an early end", 3, 0},
		{"I5xi", "4", "broken off, busy", 0, 0},
		{"e", "i", "no ranges where it redirects to", 1, 1},
	};
	struct bench b = {0};
	size_t row, i;

	for (row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		bool good = true;

		script(&far, rows[row].far);
		spool_open(&b, rows[row].script, 6);
		for (i = 0; i < 20 && good; i++)
			good = reads_part(&b, i);
		ok(good, "%s: the right bytes", rows[row].what);
		ok(streams(&b, 0) && streams(&b, 100001), "as streams, too");
		if (rows[row].asked)
			is_int(near.asked, rows[row].asked, "requests");
		if (rows[row].asked_far)
			is_int(far.asked, rows[row].asked_far, "and there");
		bench_close(&b);
	}
	spool_open(&b, "i", 4);
	ok(streams(&b, 100001) && streams(&b, 5), "streams alone");
	ok(reads_part(&b, 3), "and a part");
	is_int(near.asked, 1, "have one request");
	bench_close(&b);
}

static void *read_parts(void *arg)
{
	size_t i, bad = 0;

	for (i = 0; i < 30; i++)
		bad += !reads_part(arg, i * 7);
	return (void *)bad;
}

static void test_at_once(void)
{
	struct bench b = {0};
	pthread_t threads[6];
	size_t i, bad = 0;

	spool_open(&b, "IIIIi", 20);
	for (i = 0; i < 6; i++) {
		if (pthread_create(&threads[i], NULL, read_parts, &b) != 0)
			exit(1);
	}
	for (i = 0; i < 6; i++) {
		void *result;

		pthread_join(threads[i], &result);
		bad += (size_t)result;
	}
	is_int(bad, 0, "several at once read the right bytes");
	ok(near.asked <= 5 + 6, "with %u requests", near.asked);
	bench_close(&b);
}

/* What failed is tried again by the next reader, from where it was. */
static void test_spool_fails(void)
{
	unsigned char got[10];
	struct bench b = {0};
	struct err e = {""};

	spool_open(&b, "I4", 4);
	ok(reads_part(&b, 1), "what came is there");
	is_int(source_pread(b.blob, got, 10, SIZE - 10, &e), -ENOENT,
	       "what did not is gone: %s", e.text);
	ok(e.text[0] != '\0', "with a sentence");
	ok(reads_part(&b, 1), "what came is there still");
	is_int(near.asked, 2, "and asks nothing");
	script(&near, "i");
	is_int(source_pread(b.blob, got, 10, SIZE - 10, &e), 10, "another try: %s",
	       e.text);
	ok(memcmp(got, content + SIZE - 10, 10) == 0, "the right bytes");
	bench_close(&b);
}

static void test_spool_is_left(void)
{
	struct bench b = {0};
	int64_t start;

	spool_open(&b, "H", 300);
	ok(reads_part(&b, 1), "a third came");
	start = clock_ms();
	bench_close(&b);
	ok(clock_ms() - start < 60000, "who leaves does not wait for the rest");
}

/* Without a place for the file each part is a request, and as right. */
static void test_no_place(void)
{
	struct rlimit old, small;
	struct bench b = {0};
	struct err e = {""};

	place_make();
	script(&near, "i");
	if (store_open(place_path("store"), &b.store, &e) < 0)
		exit(1);
	store_set_limit(b.store, 1);
	bench_open(&b, 4);
	ok(reads_part(&b, 1) && reads_part(&b, 2) && streams(&b, 7),
	   "no room in the store");
	is_int(near.asked, 1, "one elsewhere");
	bench_close(&b);

	place_env("TMPDIR", "/proc/nowhere");
	script(&near, "i");
	if (store_open(place_path("store"), &b.store, &e) < 0)
		exit(1);
	store_set_limit(b.store, 1);
	bench_open(&b, 4);
	ok(reads_part(&b, 1) && reads_part(&b, 2) && streams(&b, 7), "nor elsewhere");
	ok(near.asked >= 3, "a request each");
	bench_close(&b);
	place_env("TMPDIR", NULL);

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){SIZE / 2, old.rlim_max};
	setrlimit(RLIMIT_FSIZE, &small);
	spool_open(&b, "i", 4);
	ok(streams(&b, 7), "a disk that is full in between, for a stream");
	ok(reads_part(&b, 1) && reads_part(&b, 2) && reads_part(&b, 3), "and for parts");
	bench_close(&b);
	spool_open(&b, "i", 4);
	ok(reads_part(&b, 1) && reads_part(&b, 2) && reads_part(&b, 3),
	   "for parts alone");
	ok(streams(&b, 7), "and then a stream");
	bench_close(&b);
	setrlimit(RLIMIT_FSIZE, &old);
}

int main(void)
{
	size_t i;

	/* The machine's configuration must not matter. */
	setenv("HOME", "/nonexistent", 1);
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	setenv("CONTAINERS_REGISTRIES_CONF", "/nonexistent", 1);
	unsetenv("REGISTRY_AUTH_FILE");
	for (i = 0; i < SIZE; i++)
		content[i] = (unsigned char)(i * 2654435761u >> 13);
	server_start(&near);
	server_start(&far);
	near.elsewhere = &far;
	test_pread();
	test_stream();
	test_redirect();
	test_vain();
	test_deadline();
	test_once();
	test_at_once();
	test_spool_fails();
	test_spool_is_left();
	test_no_place();
	server_stop(&near);
	server_stop(&far);
	return test_done();
}
