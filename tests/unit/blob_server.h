/* SPDX-License-Identifier: MIT */
/*
 * A blob on a registry that misbehaves: a server on loopback, one connection a
 * request, that does to each blob what its script says.
 */
#ifndef TESTS_UNIT_BLOB_SERVER_H
#define TESTS_UNIT_BLOB_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/source.h"
#include "base/store/store.h"
#include "registry/image/reference.h"
#include "registry/remote/blob.h"
#include "registry/remote/client.h"
#include "registry/remote/remote.h"

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
	pthread_t slow[8];
	size_t n_slow;
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

static void *send_slowly(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct timespec tenth = {.tv_nsec = 100000000};
	size_t at;

	send_text(
		fd,
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n");
	for (at = 0; at < SIZE; at += SIZE / 60) {
		if (send(fd, content + at, SIZE / 60, MSG_NOSIGNAL) < 0)
			break;
		nanosleep(&tenth, NULL);
	}
	close(fd);
	return NULL;
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
	case 'f': /* the same with wrong bytes */
		send_text(
			fd,
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n");
		send_bytes(fd, 1, SIZE - 1);
		send_bytes(fd, 0, 1);
		return;
	case 'p': /* a page of another server */
		send_text(
			fd,
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlogin");
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
	case 'S': /* in six seconds, while others are served */
		if (s->n_slow == sizeof(s->slow) / sizeof(s->slow[0]) ||
		    pthread_create(&s->slow[s->n_slow++], NULL, send_slowly,
				   (void *)(intptr_t)dup(fd)) != 0)
			exit(1);
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
	while (s->n_slow > 0)
		pthread_join(s->slow[--s->n_slow], NULL);
	close(s->fd);
	pthread_mutex_destroy(&s->lock);
}

static struct server near, far; /* the registry, and where it redirects to */

/* Both servers, and an environment in which the machine's configuration does not matter. */
static void servers_start(void)
{
	size_t i;

	setenv("HOME", "/nonexistent", 1);
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	setenv("CONTAINERS_REGISTRIES_CONF", "/nonexistent", 1);
	unsetenv("REGISTRY_AUTH_FILE");
	for (i = 0; i < SIZE; i++)
		content[i] = (unsigned char)(i * 2654435761u >> 13);
	server_start(&near);
	server_start(&far);
	near.elsewhere = &far;
}

static void servers_stop(void)
{
	server_stop(&near);
	server_stop(&far);
}

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
	struct client_options options = {.timeout = timeout, .insecure = true};
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

#endif
