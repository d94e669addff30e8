/* SPDX-License-Identifier: MIT */
/*
 * What all image sources of one program share: the network thread and its connections,
 * tokens, credentials, the configuration of hosts, the store, counters and warnings. Any number
 * of image sources (image_source.h) use one client.
 *
 * Any thread may call any function.
 */
#ifndef REGISTRY_REMOTE_CLIENT_H
#define REGISTRY_REMOTE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

struct archive_helper;
struct auths;
struct err;
struct hosts;
struct http;
struct http_tls;
struct store;
struct trust;

/* Defaults; the timeout is in seconds. */
#define CLIENT_CONNECTIONS 8
#define CLIENT_TIMEOUT	   60

struct client_options {
	const char *authfile; /* NULL: the default places */
	const char *cacert;   /* NULL: the system's certificates */
	const char *policy;   /* policy.json; NULL: the user's or the system's, if any */
	const char *verify;   /* a key by which all images must be signed; NULL: none */
	bool insecure;	      /* allow plain http, do not check certificates */
	bool offline;	      /* make no requests, use only the store */
	unsigned connections; /* at most so many per host; 0: CLIENT_CONNECTIONS */
	/* seconds that one wait may last, retries included; 0: CLIENT_TIMEOUT */
	unsigned timeout;
};

struct client;

/*
 * Makes no request and starts no thread yet. @options is copied; @store is borrowed and may
 * be NULL. -EINVAL: an invalid option or configuration file, with a sentence; -EACCES: an
 * invalid or missing policy or key, with a sentence.
 */
int client_new(const struct client_options *options, struct store *store,
	       struct client **out, struct err *e);
/* All its image sources must be closed. Accepts NULL. */
void client_free(struct client *c);

/* Ends every transfer, and refuses new ones, with -ECANCELED. Any thread. */
void client_cancel(struct client *c);

/* Counters since the client was made. */
struct client_stats {
	uint64_t requests;
	uint64_t bytes;	 /* of bodies */
	uint64_t errors; /* failed responses and transfers, retried or not */
	uint64_t retries;
};

void client_stats(struct client *c, struct client_stats *out);

/* Gets a problem that did not prevent success. Called by any thread. */
typedef void client_warn_fn(void *arg, const char *sentence);
/* To be called before the first image source is opened. */
void client_on_warning(struct client *c, client_warn_fn *fn, void *arg);

/*
 * What archives on disk need. Borrowed; to be called before the first image source is opened,
 * else archives that are compressed as a whole are refused.
 */
void client_help_archives(struct client *c, const struct archive_helper *h);

/* For the rest of registry/. What they return is borrowed for the life of the client. */

void client_warn(struct client *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const struct archive_helper *client_archive_helper(struct client *c); /* or NULL */
struct http *client_http(struct client *c);
struct store *client_store(struct client *c); /* may be NULL */
struct hosts *client_hosts(struct client *c);
struct auths *client_auths(struct client *c);
const struct trust *client_trust(const struct client *c);
bool client_is_offline(const struct client *c);
/* Seconds. */
unsigned client_timeout(const struct client *c);

#endif
