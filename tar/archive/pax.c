/* SPDX-License-Identifier: MIT */
#include "tar/archive/pax.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/num.h"
#include "tar/archive/acl.h"
#include "tar/archive/sparse.h"

#define SCHILY	   "SCHILY.xattr."
#define LIBARCHIVE "LIBARCHIVE.xattr."
#define ACL	   "SCHILY.acl."

int pax_next(char *body, size_t len, size_t *pos, struct pax_record *out, struct err *e)
{
	char *line, *space, *key, *equals;
	size_t left = len - *pos;
	uint64_t n;

	if (left == 0)
		return 0;
	line = body + *pos; /* the body may be NULL if it is empty */
	space = memchr(line, ' ', left);
	if (!space || !num_parse(line, (size_t)(space - line), left, &n) ||
	    n < (size_t)(space - line) + 4 || line[n - 1] != '\n') {
		err_set(e, -EBADMSG,
			"the pax record at byte %zu of %zu has a wrong length", *pos,
			len);
		return -EBADMSG;
	}
	key = space + 1;
	equals = memchr(key, '=', (size_t)(line + n - 1 - key));
	if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key))) {
		err_set(e, -EBADMSG, "the pax record at byte %zu of %zu has no key", *pos,
			len);
		return -EBADMSG;
	}
	*out = (struct pax_record){
		.key = key,
		.key_len = (size_t)(equals - key),
		.value = equals + 1,
		.value_len = (size_t)(line + n - 1 - (equals + 1)),
	};
	*pos += n;
	return 1;
}

/* "[+-]SECONDS[.FRACTION]". Digits beyond a nanosecond are cut off, not rounded. */
static bool parse_time(const char *text, size_t len, struct pax_time *out)
{
	bool is_negative = len > 0 && text[0] == '-';
	const char *dot = memchr(text, '.', len), *end = text + len, *p;
	uint32_t ns = 0, unit = 1000000000;
	uint64_t sec;

	if (is_negative || (len > 0 && text[0] == '+'))
		text++;
	if (!num_parse(text, (size_t)((dot ? dot : end) - text), INT64_MAX, &sec))
		return false;
	for (p = dot ? dot + 1 : end; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		unit /= 10;
		ns += unit * (uint32_t)(*p - '0');
	}
	*out = (struct pax_time){.is_set = true, .sec = (int64_t)sec, .ns = ns};
	if (is_negative) {
		out->sec = -out->sec - (ns > 0);
		out->ns = ns > 0 ? 1000000000 - ns : 0;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. A '%' that does not begin a valid code stands for itself. */
static size_t percent_decode(char *text, size_t len)
{
	size_t from, to = 0;

	for (from = 0; from < len; from++) {
		char c = text[from];

		if (c == '%' && len - from > 2) {
			int high = hex_digit(text[from + 1]),
			    low = hex_digit(text[from + 2]);

			if (high >= 0 && low >= 0) {
				c = (char)(high << 4 | low);
				from += 2;
			}
		}
		text[to++] = c;
	}
	return to;
}

static int lose_xattr(struct pax *p, const char *name)
{
	p->n_lost++;
	p->lost = name;
	return 0;
}

/*
 * Adds or replaces an xattr. An empty value is a value here: other keys then fall back to
 * the header, but a header has no xattrs. Writers of LIBARCHIVE.xattr also write
 * SCHILY.xattr, which is what other tools read, so it wins.
 */
static int set_xattr(struct pax *p, const char *name, size_t name_len, const char *value,
		     size_t len, bool is_decoded, struct err *e)
{
	size_t names = name_len + 1, i;

	if (name_len == 0 || memchr(name, '\0', name_len))
		return err_set(e, -EBADMSG, "an xattr's name is empty or has a NUL");
	if (name_len > PAX_MAX_XATTR_NAME || len > PAX_MAX_XATTR_VALUE)
		return lose_xattr(p, name);
	for (i = 0; i < p->n_xattrs; i++) {
		if (strcmp(p->xattrs[i].name, name) == 0)
			break;
		names += strlen(p->xattrs[i].name) + 1;
	}
	if (i == PAX_MAX_XATTRS || names > PAX_MAX_XATTR_NAMES)
		return lose_xattr(p, name);
	if (i == p->n_xattrs)
		p->n_xattrs++;
	else if (is_decoded && !p->is_decoded[i])
		return 0;
	p->xattrs[i] = (struct tar_xattr){.name = name, .value = value, .len = len};
	p->is_decoded[i] = is_decoded;
	return 0;
}

/* The '=' behind the key becomes the NUL of the name. */
static int take_xattr(struct pax *p, struct pax_record *r, struct err *e)
{
	bool is_decoded = r->key[0] == LIBARCHIVE[0];
	size_t skip = is_decoded ? strlen(LIBARCHIVE) : strlen(SCHILY);
	char *name = r->key + skip;
	size_t name_len = r->key_len - skip;

	if (is_decoded) {
		name_len = percent_decode(name, name_len);
		/* libarchive omits the padding, others may not. */
		if (!base64_decode(r->value, &r->value_len))
			return err_set(e, -EBADMSG, "an xattr's value is not base64");
	}
	name[name_len] = '\0';
	return set_xattr(p, name, name_len, r->value, r->value_len, is_decoded, e);
}

/* Both forms are in libarchive's and star's archives; the text becomes what Linux has. */
static int take_acl(struct pax *p, struct pax_record *r, struct err *e)
{
	const char *kind = r->key + strlen(ACL);
	size_t kind_len = r->key_len - strlen(ACL), room = (size_t)(r->value - r->key);
	const char *name;

	if (kind_len == 6 && memcmp(kind, "access", 6) == 0)
		name = "system.posix_acl_access";
	else if (kind_len == 7 && memcmp(kind, "default", 7) == 0)
		name = "system.posix_acl_default";
	else
		return 0; /* NFSv4 ACLs, which Linux has not */
	if (r->value_len == 0)
		return 0;
	if (!acl_pack(r->key, room, &r->value_len))
		return lose_xattr(p, name);
	return set_xattr(p, name, strlen(name), r->key, r->value_len, true, e);
}

static int take_map(struct pax *p, const struct pax_record *r, struct sparse_map *map,
		    struct err *e)
{
	sparse_clear(map);
	p->has_map = r->value_len > 0;
	return p->has_map ? sparse_add_list(map, r->value, r->value_len, e) : 0;
}

/* Form 0.0 repeats its keys, and every record counts. */
static int take_pair(struct pax *p, const struct pax_record *r, struct sparse_map *map,
		     struct err *e)
{
	uint64_t v;

	if (!num_parse(r->value, r->value_len, INT64_MAX, &v))
		return err_set(e, -EBADMSG,
			       "the sparse map has a field that is not a number");
	p->has_map = true;
	return r->key_len == strlen("GNU.sparse.offset") ? sparse_add_offset(map, v, e)
							 : sparse_add_length(map, v, e);
}

enum form { TEXT, NUMBER, TIME, MAP, PAIR };

static const struct known {
	const char *key;
	enum form form;
	size_t at; /* offset in struct pax */
} known_keys[] = {
	{"path", TEXT, offsetof(struct pax, path)},
	{"mtime", TIME, offsetof(struct pax, mtime)},
	{"linkpath", TEXT, offsetof(struct pax, link)},
	{"size", NUMBER, offsetof(struct pax, size)},
	{"uid", NUMBER, offsetof(struct pax, uid)},
	{"gid", NUMBER, offsetof(struct pax, gid)},
	{"SCHILY.devmajor", NUMBER, offsetof(struct pax, dev_major)},
	{"SCHILY.devminor", NUMBER, offsetof(struct pax, dev_minor)},
	{"GNU.sparse.name", TEXT, offsetof(struct pax, sparse_name)},
	{"GNU.sparse.major", NUMBER, offsetof(struct pax, sparse_major)},
	{"GNU.sparse.minor", NUMBER, offsetof(struct pax, sparse_minor)},
	{"GNU.sparse.size", NUMBER, offsetof(struct pax, sparse_size)},
	{"GNU.sparse.realsize", NUMBER, offsetof(struct pax, sparse_realsize)},
	{"GNU.sparse.map", MAP, 0},
	{"GNU.sparse.offset", PAIR, 0},
	{"GNU.sparse.numbytes", PAIR, 0},
	{"SUN.holesdata", TEXT, offsetof(struct pax, holes)},
};

static const struct known *find_key(const struct pax_record *r)
{
	size_t i;

	for (i = 0; i < sizeof(known_keys) / sizeof(known_keys[0]); i++) {
		const char *key = known_keys[i].key;

		if (key[0] == r->key[0] && strlen(key) == r->key_len &&
		    memcmp(key, r->key, r->key_len) == 0)
			return &known_keys[i];
	}
	return NULL;
}

static int take_text(struct pax_text *to, const struct pax_record *r, struct err *e)
{
	if (memchr(r->value, '\0', r->value_len))
		return err_set(e, -EBADMSG, "the pax record %.*s has a NUL",
			       (int)r->key_len, r->key);
	*to = (struct pax_text){0};
	if (r->value_len > 0)
		*to = (struct pax_text){.data = r->value, .len = r->value_len};
	return 0;
}

static int take_known(struct pax *p, const struct known *k, const struct pax_record *r,
		      struct sparse_map *map, struct err *e)
{
	void *to = (char *)p + k->at;
	struct pax_number number = {0};
	struct pax_time time = {0};

	switch (k->form) {
	case TEXT:
		return take_text(to, r, e);
	case NUMBER:
		number.is_set = r->value_len > 0;
		if (number.is_set &&
		    !num_parse(r->value, r->value_len, INT64_MAX, &number.value))
			break;
		*(struct pax_number *)to = number;
		return 0;
	case TIME:
		if (r->value_len > 0 && !parse_time(r->value, r->value_len, &time))
			break;
		*(struct pax_time *)to = time;
		return 0;
	case MAP:
		return take_map(p, r, map, e);
	case PAIR:
		return take_pair(p, r, map, e);
	}
	return err_set(e, -EBADMSG, "the pax record %s is not a number, or too large",
		       k->key);
}

static bool begins_with(const struct pax_record *r, const char *text)
{
	size_t len = strlen(text);

	return r->key_len > len && memcmp(r->key, text, len) == 0;
}

void pax_clear(struct pax *p)
{
	memset(p, 0, offsetof(struct pax, xattrs));
}

int pax_parse(struct pax *p, char *body, size_t len, struct sparse_map *map,
	      struct err *e)
{
	struct pax_record r;
	const struct known *k;
	size_t pos = 0;
	int rc;

	pax_clear(p);
	sparse_clear(map);
	while ((rc = pax_next(body, len, &pos, &r, e)) > 0) {
		k = find_key(&r);
		if (k)
			rc = take_known(p, k, &r, map, e);
		else if (begins_with(&r, SCHILY) || begins_with(&r, LIBARCHIVE))
			rc = take_xattr(p, &r, e);
		else if (begins_with(&r, ACL))
			rc = take_acl(p, &r, e);
		if (rc < 0)
			return rc;
	}
	return rc;
}

bool pax_is_sparse(const struct pax *p)
{
	return p->has_map || p->sparse_major.is_set;
}
