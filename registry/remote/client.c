/* SPDX-License-Identifier: MIT */
#include "registry/remote/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "registry/auth/auths.h"
#include "registry/config/hosts.h"
#include "registry/config/paths.h"
#include "registry/http/http.h"
#include "registry/trust/trust.h"

struct client {
	struct http *http;
	struct hosts *hosts;
	struct auths *auths;
	struct trust *trust;
	struct store *store;
	bool offline;
	unsigned timeout;
	client_warn_fn *warn;
	void *warn_arg;
	const struct archive_helper *archive_helper;
};

int client_new(const struct client_options *options, struct store *store,
	       struct client **out, struct err *e)
{
	struct client *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->store = store;
	c->offline = options->offline;
	c->timeout = options->timeout ? options->timeout : CLIENT_TIMEOUT;
	rc = paths_fix_environment();
	if (rc < 0)
		err_set(e, rc, "the environment: %s", strerror(-rc));
	else
		rc = http_new(options->connections ? options->connections
						   : CLIENT_CONNECTIONS,
			      &c->http, e);
	if (rc == 0)
		rc = hosts_new(options->cacert, options->insecure, &c->hosts, e);
	if (rc == 0)
		rc = auths_new(c->http, c->hosts, options->authfile, &c->auths, e);
	if (rc == 0)
		rc = trust_new(options->policy, options->verify, &c->trust, e);
	if (rc < 0)
		client_free(c);
	else
		*out = c;
	return rc;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	trust_free(c->trust);
	auths_free(c->auths);
	hosts_free(c->hosts);
	http_free(c->http);
	free(c);
}

void client_cancel(struct client *c)
{
	http_cancel(c->http);
}

void client_stats(struct client *c, struct client_stats *out)
{
	struct http_stats s;

	http_stats(c->http, &s);
	*out = (struct client_stats){
		.requests = s.requests,
		.bytes = s.bytes,
		.errors = s.errors,
		.retries = s.retries,
	};
}

void client_on_warning(struct client *c, client_warn_fn *fn, void *arg)
{
	c->warn = fn;
	c->warn_arg = arg;
}

void client_warn(struct client *c, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (!c->warn)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->warn(c->warn_arg, text);
}

void client_help_archives(struct client *c, const struct archive_helper *h)
{
	c->archive_helper = h;
}

const struct archive_helper *client_archive_helper(struct client *c)
{
	return c->archive_helper;
}

struct http *client_http(struct client *c)
{
	return c->http;
}

struct store *client_store(struct client *c)
{
	return c->store;
}

struct hosts *client_hosts(struct client *c)
{
	return c->hosts;
}

struct auths *client_auths(struct client *c)
{
	return c->auths;
}

const struct trust *client_trust(const struct client *c)
{
	return c->trust;
}

bool client_is_offline(const struct client *c)
{
	return c->offline;
}

unsigned client_timeout(const struct client *c)
{
	return c->timeout;
}
