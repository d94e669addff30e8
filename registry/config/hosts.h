/* SPDX-License-Identifier: MIT */
/*
 * Where a repository is to be had, in the order to ask: from registries.conf, else
 * containerd's hosts.toml, else its own registry alone; with the certificates that
 * are configured for each host.
 *
 * hosts.toml (containerd docs/hosts.md) is looked for in ~/.config/containerd/certs.d and
 * /etc/containerd/certs.d, below HOST_PORT_, HOST:PORT or _default.
 * Certificates (*.crt, *.cert with *.key) in the first of these that has HOST[:PORT]/ :
 * ~/.config/containers/certs.d, /etc/containers/certs.d, ~/.config/docker/certs.d,
 * /etc/docker/certs.d, and the two of containerd.
 */
#ifndef REGISTRY_CONFIG_HOSTS_H
#define REGISTRY_CONFIG_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/http/http.h"
#include "registry/image/reference.h"

struct err;
struct registries;

/* A place to ask. All text is owned; what tls points to is the endpoint's. */
struct endpoint {
	char *base;   /* "https://registry-1.docker.io", no path */
	char *prefix; /* of its API: "/v2" */
	char *path;   /* the repository's name there */
	char *name;   /* whose credentials are used, for people too: "docker.io" */
	/* the host that it is a mirror of (the ns parameter), or NULL */
	char *stands_for;
	/* the other scheme of the one before: its errors say nothing new */
	bool is_guess;
	bool no_tags;	 /* not trusted to say which digest a tag has */
	bool no_content; /* only for that */
	struct http_tls tls;
	char *ca_pem, *cert_file, *key_file;
	char **headers; /* the last is NULL; or NULL */
};

struct endpoints {
	struct endpoint *list;
	size_t n;
};

/* What is configured, read when it is first needed. Safe in any thread. */
struct hosts;

/*
 * @cacert (copied, may be NULL) is a file with certificates to trust beside the
 * system's; @insecure: any certificate, and plain http where there is no TLS.
 */
int hosts_new(const char *cacert, bool insecure, struct hosts **out, struct err *e);
/* NULL is fine. */
void hosts_free(struct hosts *h);

/*
 * An empty @ref->path is the registry itself: no mirrors. -EACCES with a sentence for
 * one that is blocked, -EINVAL for bad configuration.
 */
int hosts_find(struct hosts *h, const struct reference *ref, struct endpoints *out,
	       struct err *e);
void endpoints_release(struct endpoints *es);

/* registries.conf as it is; borrowed for life. -EINVAL with a sentence. */
int hosts_registries(struct hosts *h, const struct registries **out, struct err *e);
/* How hosts that nothing is configured for prove themselves: valid after hosts_find(). */
const struct http_tls *hosts_elsewhere(const struct hosts *h);

#endif
