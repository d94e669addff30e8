/* SPDX-License-Identifier: MIT */
/*
 * What all images of one program share: the thread that talks to the network and its
 * connections, tokens, credentials, the configuration of hosts, the store, counts and
 * warnings. Any number of origins (origin.h) live on one client; each gives back what
 * it took when it is closed.
 *
 * All calls are safe in any thread.
 */
#ifndef REGISTRY_REMOTE_CLIENT_H
#define REGISTRY_REMOTE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

struct auths;
struct err;
struct hosts;
struct http;
struct http_tls;
struct store;

struct client_options {
	const char *authfile; /* NULL: the usual places */
	const char *cacert;   /* NULL: the system's */
	bool insecure;	      /* plain http allowed, certificates not checked */
	bool offline;	      /* ask nothing, use the store alone */
	unsigned connections; /* at most so many a host; 0: the default */
	/* seconds that one wait may last with all retries; 0: the default */
	unsigned timeout;
};

struct client;

/*
 * Makes ready; asks no network and starts no thread yet. Options are copied, @store is
 * borrowed and may be NULL.
 */
int client_new(const struct client_options *options, struct store *store,
	       struct client **out, struct err *e);
/* All its origins must be closed. NULL is fine. */
void client_free(struct client *c);

/* What was asked of the network since the client was made. */
struct client_stats {
	uint64_t requests;
	uint64_t bytes;	 /* of bodies */
	uint64_t errors; /* answers and transfers that failed, retried or not */
	uint64_t retries;
};

void client_stats(struct client *c, struct client_stats *out);

/* What went well enough, but a person should know; called from any thread. */
typedef void client_warn_fn(void *arg, const char *sentence);
/* Before the first origin is opened. */
void client_on_warning(struct client *c, client_warn_fn *fn, void *arg);

/* For the rest of registry/; all borrowed for the client's life. */

void client_warn(struct client *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
struct http *client_http(struct client *c);
struct store *client_store(struct client *c); /* may be NULL */
struct hosts *client_hosts(struct client *c);
struct auths *client_auths(struct client *c);
bool client_is_offline(const struct client *c);
/* Seconds. */
unsigned client_timeout(const struct client *c);

#endif
