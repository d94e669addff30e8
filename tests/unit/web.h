/* SPDX-License-Identifier: MIT */
/* A web server on loopback whose answers a test writes: one connection a request. */
#ifndef TESTS_UNIT_WEB_H
#define TESTS_UNIT_WEB_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"

#define WEB_REQUEST_MAX 16384

struct web_request {
	bool head;
	char path[WEB_REQUEST_MAX]; /* with the query */
	const char *fields;	    /* the header as it came */
	const char *body;	    /* what fits in WEB_REQUEST_MAX with the header */
	size_t body_len;
};

/* Writes the whole answer, by web_give() mostly; nothing: the connection is closed. */
typedef void web_fn(void *arg, const struct web_request *rq, struct buf *out);

struct web {
	int fd;
	unsigned port;
	pthread_t thread;
	web_fn *fn;
	void *arg;
};

/* @fields: more of the header, each with its line end; may be "". */
static inline void web_give(struct buf *out, int status, const char *fields,
			    const char *body)
{
	if (buf_printf(
		    out,
		    "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
		    status, strlen(body), fields, body) < 0)
		exit(77);
}

static inline void web_send(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len > 0 && (n = send(fd, data, len, MSG_NOSIGNAL)) > 0) {
		data += n;
		len -= (size_t)n;
	}
}

/* The length of a body that the header announces. */
static inline size_t web_length(const char *header)
{
	const char *field = strcasestr(header, "\r\nContent-Length:");

	return field ? strtoul(field + 17, NULL, 10) : 0;
}

static inline void *web_serve(void *arg)
{
	static char text[WEB_REQUEST_MAX];
	static struct web_request rq;
	struct web *w = arg;
	struct buf out;
	size_t len;
	ssize_t n;
	char *end;
	int fd;

	while ((fd = accept(w->fd, NULL, NULL)) >= 0) {
		len = 0;
		text[0] = '\0';
		while (!strstr(text, "\r\n\r\n") && len < sizeof(text) - 1 &&
		       (n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0) {
			len += (size_t)n;
			text[len] = '\0';
		}
		end = strstr(text, "\r\n\r\n");
		while (end && text + len < end + 4 + web_length(text) &&
		       len < sizeof(text) - 1 &&
		       (n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
			len += (size_t)n;
		rq = (struct web_request){.head = strncmp(text, "HEAD ", 5) == 0,
					  .fields = text};
		rq.body = end ? end + 4 : "";
		rq.body_len = end ? (size_t)(text + len - rq.body) : 0;
		if (sscanf(text, "%*s %16383s", rq.path) == 1 &&
		    strstr(text, "\r\n\r\n")) {
			buf_init(&out, 64 << 20);
			w->fn(w->arg, &rq, &out);
			end = rq.head && out.data ? strstr(out.data, "\r\n\r\n") : NULL;
			web_send(fd, buf_text(&out),
				 end ? (size_t)(end + 4 - out.data) : out.len);
			buf_release(&out);
		}
		close(fd);
	}
	return NULL;
}

static inline void web_start(struct web *w, web_fn *fn, void *arg)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	w->fn = fn;
	w->arg = arg;
	w->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (w->fd < 0 || bind(w->fd, (void *)&at, sizeof(at)) < 0 ||
	    listen(w->fd, 64) < 0 || getsockname(w->fd, (void *)&at, &len) < 0 ||
	    pthread_create(&w->thread, NULL, web_serve, w) != 0)
		exit(1);
	w->port = ntohs(at.sin_port);
}

static inline void web_stop(struct web *w)
{
	shutdown(w->fd, SHUT_RDWR);
	pthread_join(w->thread, NULL);
	close(w->fd);
}

#endif
