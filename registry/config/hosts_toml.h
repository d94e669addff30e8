/* SPDX-License-Identifier: MIT */
/* containerd's hosts.toml: the hosts to ask instead of a registry (docs/hosts.md). */
#ifndef REGISTRY_CONFIG_HOSTS_TOML_H
#define REGISTRY_CONFIG_HOSTS_TOML_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Ceilings of what one host may have. */
#define TOML_CA_MAX	 16
#define TOML_HEADERS_MAX 32

struct toml_host {
	char *scheme, *host, *prefix; /* "https", "mirror:5000", "/v2" */
	bool pull, resolve;
	bool skip_verify;
	bool override_path;
	char *ca[TOML_CA_MAX]; /* files, as absolute paths */
	size_t n_ca;
	char *client_cert, *client_key;
	char *headers[TOML_HEADERS_MAX + 1]; /* "Name: value"; then NULL */
	size_t n_headers;
	unsigned dial_ms; /* 0: not set */
	char *url;	  /* the key of its table */
};

struct hosts_toml {
	/* in the order to ask; `server`, if there is one, is last */
	struct toml_host *list;
	size_t n;
	bool has_server;
	/* else the settings of the registry itself, without scheme, host and prefix */
	struct toml_host own;
};

/* Loads the file for "host[:port]". -ENOENT: no file; -EINVAL with a sentence: a bad one. */
int hosts_toml_load(const char *host, struct hosts_toml *out, struct err *e);
/* Parses the text of a file. File names in it are relative to @folder. */
int hosts_toml_parse(const char *text, size_t len, const char *folder,
		     struct hosts_toml *out, struct err *e);
void hosts_toml_release(struct hosts_toml *ht);

#endif
