/* SPDX-License-Identifier: MIT */
#include "registry/trust/requirement.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/public_key.h"
#include "registry/config/paths.h"
#include "registry/trust/strict.h"

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

void requirement_release(struct requirement *r)
{
	size_t i;

	for (i = 0; i < r->n_keys; i++) {
		free(r->keys[i].path);
		free(r->keys[i].text);
	}
	free(r->keys);
	*r = (struct requirement){0};
}

/* KEYS */

/* The entry is empty if it could be added. */
static struct requirement_key *add_key(struct requirement *r)
{
	if (array_grow(&r->keys, r->n_keys, sizeof(*r->keys)) < 0)
		return NULL;
	r->keys[r->n_keys] = (struct requirement_key){0};
	return &r->keys[r->n_keys++];
}

int requirement_add_file(struct requirement *r, const char *path)
{
	char folder[PATH_MAX], full[PATH_MAX];
	struct requirement_key *k;
	int rc = 0;

	if (path[0] != '/') {
		rc = getcwd(folder, sizeof(folder)) ? paths_join(full, folder, path)
						    : -errno;
		path = full;
	}
	if (rc < 0)
		return rc;
	k = add_key(r);
	if (!k)
		return -ENOMEM;
	k->path = strdup(path);
	return k->path ? 0 : -ENOMEM;
}

/* Line breaks in base64 are ignored, as tools write them. */
static int add_data(struct requirement *r, const char *text)
{
	struct requirement_key *k = add_key(r);
	size_t i, n = 0;

	if (k)
		k->text = strdup(text);
	if (!k || !k->text)
		return -ENOMEM;
	for (i = 0; k->text[i]; i++) {
		if (k->text[i] != '\n' && k->text[i] != '\r')
			k->text[n++] = k->text[i];
	}
	k->len = n;
	return base64_decode(k->text, &k->len) ? 0 : -EBADMSG;
}

static int read_key(struct requirement *r, const char *name, const struct json *value,
		    bool is_path, struct err *e)
{
	const char *text = json_string(value);
	int rc;

	if (!text || !text[0])
		return err_set(e, -EBADMSG, "\"%s\" holds something else than texts",
			       name);
	rc = is_path ? requirement_add_file(r, text) : add_data(r, text);
	if (rc == -EBADMSG)
		return err_set(e, rc, "\"%s\" is not base64", name);
	return rc < 0 ? err_set(e, rc, "\"%s\": %s", name, strerror(-rc)) : 0;
}

static int read_list(struct requirement *r, const char *name, const struct json *value,
		     bool is_path, struct err *e)
{
	size_t i, n = json_count(value);
	int rc = 0;

	if (json_type(value) != JSON_ARRAY || n == 0 || n > REQUIREMENT_KEYS_MAX)
		return err_set(e, -EBADMSG, "\"%s\" is not a list of 1 to %d keys", name,
			       REQUIREMENT_KEYS_MAX);
	for (i = 0; i < n && rc == 0; i++)
		rc = read_key(r, name, json_item(value, i), is_path, e);
	return rc;
}

/* Where the key comes from: one of these, and no two. */
static const struct {
	const char *name;
	bool is_list, is_path;
} key_sources[] = {
	{"keyPath", false, true},
	{"keyPaths", true, true},
	{"keyData", false, false},
	{"keyDatas", true, false},
};

/* Members that ask for what peelfs cannot check; "pki" and "fulcio" replace a key. */
static const char *const unsupported[] = {
	"fulcio",
	"pki",
	"rekorPublicKeyPath",
	"rekorPublicKeyPaths",
	"rekorPublicKeyData",
	"rekorPublicKeyDatas",
};

static int read_keys(const struct json *j, struct requirement *r, struct err *e)
{
	size_t i, n = 0;
	int rc = 0;

	for (i = 0; i < sizeof(key_sources) / sizeof(key_sources[0]) && rc == 0; i++) {
		const char *name = key_sources[i].name;
		const struct json *value = json_member(j, name);

		if (!value)
			continue;
		n++;
		rc = (key_sources[i].is_list ? read_list : read_key)(
			r, name, value, key_sources[i].is_path, e);
	}
	for (i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]) && rc == 0; i++) {
		if (!json_member(j, unsupported[i]))
			continue;
		r->kind = REQUIREMENT_UNSUPPORTED;
		if (!r->unsupported)
			r->unsupported = unsupported[i];
		n += i < 2;
	}
	if (rc == 0 && n != 1)
		rc = err_set(e, -EBADMSG,
			     "\"sigstoreSigned\" names %s; it needs one of keyPath, "
			     "keyPaths, keyData and keyDatas",
			     n ? "its key twice" : "no key");
	return rc;
}

/* PARSING */

static const char *const only_type[] = {"type", NULL};
static const char *const signed_members[] = {
	"type",
	"keyPath",
	"keyPaths",
	"keyData",
	"keyDatas",
	"signedIdentity",
	"fulcio",
	"pki",
	"rekorPublicKeyPath",
	"rekorPublicKeyPaths",
	"rekorPublicKeyData",
	"rekorPublicKeyDatas",
	NULL,
};
static const char *const gpg_members[] = {
	"type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity", NULL,
};
static const char *const base_layer_members[] = {"type", "baseLayerIdentity", NULL};

static const struct {
	const char *name;
	enum requirement_kind kind;
	const char *const *members;
} kinds[] = {
	{"insecureAcceptAnything", REQUIREMENT_ACCEPT, only_type},
	{"reject", REQUIREMENT_REJECT, only_type},
	{"sigstoreSigned", REQUIREMENT_SIGNED, signed_members},
	{"signedBy", REQUIREMENT_UNSUPPORTED, gpg_members},
	{"signedBaseLayer", REQUIREMENT_UNSUPPORTED, base_layer_members},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

int requirement_parse(const struct json *j, struct requirement *out, struct err *e)
{
	const char *type = json_member_string(j, "type");
	struct requirement r = {0};
	size_t i = 0;
	int rc;

	while (i < N_KINDS && (!type || strcmp(kinds[i].name, type) != 0))
		i++;
	if (i == N_KINDS)
		return err_set(e, -EBADMSG, "a requirement has the unknown type %.100s",
			       type ? type : "(none)");
	r.kind = kinds[i].kind;
	if (r.kind == REQUIREMENT_UNSUPPORTED)
		r.unsupported = kinds[i].name;
	rc = strict_members(j, kinds[i].name, kinds[i].members, 1, e);
	if (rc == 0 && r.kind == REQUIREMENT_SIGNED) {
		rc = read_keys(j, &r, e);
		if (rc == 0)
			rc = identity_parse(json_member(j, "signedIdentity"), &r.identity,
					    e);
	}
	if (rc < 0)
		requirement_release(&r);
	else
		*out = r;
	return rc;
}

/* READING KEYS */

static int load_key(const struct requirement_key *k, struct public_key **out,
		    struct err *e)
{
	struct buf text;
	int rc;

	if (!k->path) {
		rc = public_key_parse(k->text, k->len, out, e);
		return rc < 0 ? err_prefix(e, rc, "its key") : 0;
	}
	buf_init(&text, PUBLIC_KEY_TEXT_MAX);
	rc = paths_read(k->path, &text);
	if (rc < 0)
		err_set(e, rc, "%s", strerror(-rc));
	else
		rc = public_key_parse(text.data, text.len, out, e);
	buf_release(&text);
	return rc < 0 ? err_prefix(e, rc, "its key %s", k->path) : 0;
}

int requirement_load_keys(const struct requirement *r, struct public_key ***out,
			  struct err *e)
{
	struct public_key **keys = calloc(r->n_keys + 1, sizeof(struct public_key *));
	size_t i;
	int rc = keys ? 0 : out_of_memory(e);

	for (i = 0; i < r->n_keys && rc == 0; i++)
		rc = load_key(&r->keys[i], &keys[i], e);
	if (rc < 0)
		requirement_free_keys(r, keys);
	else
		*out = keys;
	return rc;
}

void requirement_free_keys(const struct requirement *r, struct public_key **keys)
{
	size_t i;

	for (i = 0; keys && i < r->n_keys; i++)
		public_key_free(keys[i]);
	free(keys);
}
