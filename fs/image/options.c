/* SPDX-License-Identifier: MIT */
/*
 * getopt() is not used: told so by the environment, and in some C libraries always,
 * it stops at the first operand, and mount(8) puts the operands first.
 */
#include "fs/image/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"

/* More than any command line of a person, less than the kernel's page for options. */
#define KERNEL_OPTIONS_MAX 3000

/* (uid_t)-1 is nobody's. */
#define OWNER_MAX (UINT32_MAX - 1)

/* Seconds after which a tag may lead elsewhere, unless told otherwise. */
#define TAG_TTL 60

static const char help[] =
	"usage: peelfs [-fdv] [-o OPTION[,OPTION...]] SOURCE MOUNTPOINT\n"
	"\n"
	"Mounts a container image straight from its registry, read-only.\n"
	"\n"
	"SOURCE      nginx:1.27, ghcr.io/owner/repo@sha256:..., localhost:5000/a/b,\n"
	"            oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF],\n"
	"            dir:DIR; with a slash at its end what is browsed, not one image:\n"
	"            localhost:5000/, docker.io/library/, /\n"
	"MOUNTPOINT  a directory; unmount with `umount` or `fusermount3 -u`\n"
	"\n"
	"  -f        stay in the foreground\n"
	"  -d        the same, and trace every request\n"
	"  -v        say more\n"
	"  -V        print the version\n"
	"  -h        print this\n"
	"  -o ...    options, as for mount(8), and:\n"
	"    platform=OS/ARCH[/VARIANT]  of an image for many; this machine's if none\n"
	"    layout=image|rootfs         rootfs: the root file system and nothing else\n"
	"    index=auto|registry|none    use of tables kept beside layers (SOCI)\n"
	"    ino=content|unique          unique: equal files are told by their places\n"
	"    cache_dir=DIR               where layers are kept\n"
	"    cache_size=SIZE             at most so much there: 20G; 10G if not said\n"
	"    cache=data|index|none       keep all, no contents, or nothing\n"
	"    authfile=FILE               credentials for registries\n"
	"    cacert=FILE                 a certificate authority to trust\n"
	"    insecure                    allow http and unknown certificates\n"
	"    offline                     ask no registry, use what is in the cache\n"
	"    connections=N               at most so many to a host\n"
	"    timeout=SECONDS             that a read may wait for the network\n"
	"    tag_ttl=SECONDS             after which a namespace asks for a tag anew\n"
	"    allow_other                 let other users in; modes are enforced then\n"
	"    default_permissions         enforce modes in any case\n"
	"    uid=NUMBER                  who owns everything; else, who the image says\n"
	"    gid=NUMBER                  and which group\n";

const char *options_help(void)
{
	return help;
}

enum kind {
	IGNORED,   /* mount(8)'s own business, or what is so anyway */
	KERNEL,	   /* passed down */
	ROOT_ONLY, /* passed down for root, else not heard */
	REFUSED,
	FLAG,
	TEXT,
	NUMBER,
	OWNER,
	SIZE,
	CACHE,
	LAYOUT,
	TABLES,
	INO,
	PLATFORM,
};

struct known {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct options */
};

#define AT(field) offsetof(struct options, field)

static const struct known known[] = {
	{"allow_other", FLAG, AT(allow_other)},
	{"default_permissions", FLAG, AT(default_permissions)},
	{"insecure", FLAG, AT(insecure)},
	{"offline", FLAG, AT(offline)},
	{"cache_dir", TEXT, AT(cache_dir)},
	{"authfile", TEXT, AT(authfile)},
	{"cacert", TEXT, AT(cacert)},
	{"connections", NUMBER, AT(connections)},
	{"timeout", NUMBER, AT(timeout)},
	{"tag_ttl", NUMBER, AT(tag_ttl)},
	{"uid", OWNER, AT(uid)},
	{"gid", OWNER, AT(gid)},
	{"cache_size", SIZE, AT(cache_size)},
	{"cache", CACHE, 0},
	{"layout", LAYOUT, 0},
	{"index", TABLES, 0},
	{"ino", INO, 0},
	{"platform", PLATFORM, 0},

	{"suid", ROOT_ONLY, 0},
	{"dev", ROOT_ONLY, 0},
	{"nosuid", KERNEL, 0},
	{"nodev", KERNEL, 0},
	{"exec", KERNEL, 0},
	{"noexec", KERNEL, 0},
	{"noatime", KERNEL, 0},
	{"nodiratime", KERNEL, 0},
	{"context", KERNEL, 0},
	{"fscontext", KERNEL, 0},
	{"defcontext", KERNEL, 0},
	{"rootcontext", KERNEL, 0},

	{"remount", REFUSED, 0},

	/* `rw` is what mount(8) says when nothing was asked; we are read-only all the same. */
	{"ro", IGNORED, 0},
	{"rw", IGNORED, 0},
	{"defaults", IGNORED, 0},
	{"atime", IGNORED, 0},
	{"diratime", IGNORED, 0},
	{"relatime", IGNORED, 0},
	{"norelatime", IGNORED, 0},
	{"strictatime", IGNORED, 0},
	{"nostrictatime", IGNORED, 0},
	{"lazytime", IGNORED, 0},
	{"nolazytime", IGNORED, 0},
	{"iversion", IGNORED, 0},
	{"noiversion", IGNORED, 0},
	{"sync", IGNORED, 0},
	{"async", IGNORED, 0},
	{"dirsync", IGNORED, 0},
	{"mand", IGNORED, 0},
	{"nomand", IGNORED, 0},
	{"silent", IGNORED, 0},
	{"loud", IGNORED, 0},
	{"auto", IGNORED, 0},
	{"noauto", IGNORED, 0},
	{"user", IGNORED, 0},
	{"nouser", IGNORED, 0},
	{"users", IGNORED, 0},
	{"nousers", IGNORED, 0},
	{"owner", IGNORED, 0},
	{"noowner", IGNORED, 0},
	{"group", IGNORED, 0},
	{"nogroup", IGNORED, 0},
	{"nofail", IGNORED, 0},
	{"_netdev", IGNORED, 0},
	{"uhelper", IGNORED, 0},
	{"helper", IGNORED, 0},
	{"comment", IGNORED, 0},
};

static int set_text(char **field, const char *value)
{
	char *text = strdup(value);

	if (!text)
		return -ENOMEM;
	free(*field);
	*field = text;
	return 0;
}

static int set_layout(struct options *o, const char *value, struct err *e)
{
	if (strcmp(value, "image") == 0)
		o->layout = LAYOUT_IMAGE;
	else if (strcmp(value, "rootfs") == 0)
		o->layout = LAYOUT_ROOTFS;
	else
		return err_set(e, -EINVAL, "layout=%s: it can be image or rootfs", value);
	return 0;
}

static int set_tables(struct options *o, const char *value, struct err *e)
{
	if (strcmp(value, "auto") == 0)
		o->tables = TABLES_AUTO;
	else if (strcmp(value, "registry") == 0)
		o->tables = TABLES_REGISTRY;
	else if (strcmp(value, "none") == 0)
		o->tables = TABLES_NONE;
	else
		return err_set(e, -EINVAL, "index=%s: it can be auto, registry or none",
			       value);
	return 0;
}

static int set_ino(struct options *o, const char *value, struct err *e)
{
	if (strcmp(value, "content") != 0 && strcmp(value, "unique") != 0)
		return err_set(e, -EINVAL, "ino=%s: it can be content or unique", value);
	o->ino_unique = strcmp(value, "unique") == 0;
	return 0;
}

static int set_cache(struct options *o, const char *value, struct err *e)
{
	if (strcmp(value, "data") == 0)
		o->cache = CACHE_DATA;
	else if (strcmp(value, "index") == 0)
		o->cache = CACHE_INDEX;
	else if (strcmp(value, "none") == 0)
		o->cache = CACHE_NONE;
	else
		return err_set(e, -EINVAL, "cache=%s: it can be data, index or none",
			       value);
	return 0;
}

int options_append_escaped(struct buf *b, const char *text)
{
	int rc = 0;

	for (; rc == 0 && *text; text++) {
		if (*text == ',' || *text == '\\')
			rc = buf_append(b, "\\", 1);
		if (rc == 0)
			rc = buf_append(b, text, 1);
	}
	return rc;
}

static int add_kernel(struct options *o, const char *option)
{
	int rc = buf_append(&o->kernel, ",", 1);

	return rc < 0 ? rc : options_append_escaped(&o->kernel, option);
}

/* @option: as given; @value: after its '=', or NULL. */
static int apply(struct options *o, const struct known *k, const char *option,
		 const char *value, bool is_root, struct err *e)
{
	void *field = (char *)o + k->offset;
	uint64_t number;

	if (k->kind >= TEXT && (!value || !*value))
		return err_set(e, -EINVAL, "option %s needs a value", k->name);
	if (k->kind == FLAG && value)
		return err_set(e, -EINVAL, "option %s takes no value", k->name);
	switch (k->kind) {
	case FLAG:
		*(bool *)field = true;
		return 0;
	case TEXT:
		return set_text(field, value);
	case NUMBER:
		if (!num_parse(value, strlen(value), 1000000, &number) || number == 0)
			return err_set(e, -EINVAL, "%s: not a number that can be used",
				       option);
		*(unsigned *)field = (unsigned)number;
		return 0;
	case OWNER:
		if (!num_parse(value, strlen(value), OWNER_MAX, &number))
			return err_set(e, -EINVAL, "%s: not the number of a %s", option,
				       k->name[0] == 'u' ? "user" : "group");
		*(int64_t *)field = (int64_t)number;
		return 0;
	case SIZE:
		if (!num_parse_size(value, &number) || number == 0)
			return err_set(e, -EINVAL, "%s: not a size, as 500M or 20G",
				       option);
		*(uint64_t *)field = number;
		return 0;
	case CACHE:
		return set_cache(o, value, e);
	case LAYOUT:
		return set_layout(o, value, e);
	case TABLES:
		return set_tables(o, value, e);
	case INO:
		return set_ino(o, value, e);
	case PLATFORM:
		o->wants_platform = true;
		return platform_parse(value, &o->platform, e);
	case ROOT_ONLY:
		return is_root ? add_kernel(o, option) : 0;
	case KERNEL:
		return add_kernel(o, option);
	case REFUSED:
		return err_set(e, -EINVAL,
			       "a mount cannot be changed while it is there: unmount it, "
			       "and mount it again with the options that it shall have");
	case IGNORED:
		break;
	}
	return 0;
}

static int set_option(struct options *o, const char *option, bool is_root, bool sloppy,
		      struct err *e)
{
	size_t i, len = strcspn(option, "=");

	if (strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0)
		return 0;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) == len &&
		    strncmp(known[i].name, option, len) == 0)
			return apply(o, &known[i], option,
				     option[len] ? option + len + 1 : NULL, is_root, e);
	}
	if (sloppy)
		return 0;
	return err_set(e, -EINVAL, "unknown option %s", option);
}

/* A comma list, where "\," and "\\" stand for the character itself. */
static int set_options(struct options *o, const char *list, bool is_root, bool sloppy,
		       struct err *e)
{
	char *one = malloc(strlen(list) + 1);
	size_t len = 0;
	int rc = 0;

	if (!one)
		return -ENOMEM;
	for (; rc == 0; list++) {
		if (*list && *list != ',') {
			if (*list == '\\' && (list[1] == ',' || list[1] == '\\'))
				list++;
			one[len++] = *list;
			continue;
		}
		one[len] = '\0';
		if (len > 0)
			rc = set_option(o, one, is_root, sloppy, e);
		len = 0;
		if (!*list)
			break;
	}
	free(one);
	return rc;
}

/* What is seen before any option is judged: -s may come last. */
struct words {
	const char **lists; /* of -o */
	size_t n_lists;
	const char *operands[2];
	size_t n_operands;
	bool sloppy;
	bool is_helper; /* of mount(8) */
	bool fake;
};

static int add_operand(struct words *w, const char *text, struct err *e)
{
	if (w->n_operands == 2)
		return err_set(e, -EINVAL,
			       "%s: one source and one mount point are enough", text);
	w->operands[w->n_operands++] = text;
	return 0;
}

/* The letters of one argument; *next is the argument after it, taken if a letter needs it. */
static int read_letters(struct options *o, struct words *w, const char *letters,
			char ***next, struct err *e)
{
	const char *value;
	char c;

	while ((c = *letters++)) {
		switch (c) {
		case 'f':
			if (w->is_helper)
				w->fake = true;
			else
				o->foreground = true;
			break;
		case 'd':
			o->debug = o->foreground = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'n': /* no mtab has been written for long */
			break;
		case 's':
			w->sloppy = true;
			break;
		case 'h':
			o->action = OPTIONS_HELP;
			break;
		case 'V':
			o->action = OPTIONS_VERSION;
			break;
		case 'o': /* and what mount(8) adds: the full type, a namespace */
		case 't':
		case 'N':
			value = *letters ? letters : *(*next)++;
			if (!value)
				return err_set(e, -EINVAL, "-%c needs a value", c);
			if (c == 'o')
				w->lists[w->n_lists++] = value;
			return 0;
		default:
			return err_set(e, -EINVAL, "unknown option -%c", c);
		}
	}
	return 0;
}

static int read_words(struct options *o, struct words *w, char **argv, struct err *e)
{
	char **next = argv + (argv[0] != NULL);
	bool only_operands = false;
	const char *arg;
	int rc = 0;

	while (rc == 0 && (arg = *next++)) {
		if (only_operands || arg[0] != '-' || arg[1] == '\0')
			rc = add_operand(w, arg, e);
		else if (strcmp(arg, "--") == 0)
			only_operands = true;
		else if (strcmp(arg, "--help") == 0)
			o->action = OPTIONS_HELP;
		else if (strcmp(arg, "--version") == 0)
			o->action = OPTIONS_VERSION;
		else if (arg[1] == '-')
			rc = err_set(e, -EINVAL, "unknown option %s", arg);
		else
			rc = read_letters(o, w, arg + 1, &next, e);
	}
	return rc;
}

static bool is_helper(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return program && strcmp(slash ? slash + 1 : program, "mount.peelfs") == 0;
}

int options_parse(struct options *out, int argc, char **argv, bool is_root, struct err *e)
{
	struct words w = {0};
	size_t i;
	int rc;

	memset(out, 0, sizeof(*out));
	out->uid = out->gid = -1;
	buf_init(&out->kernel, KERNEL_OPTIONS_MAX);
	platform_host(&out->platform);
	out->tag_ttl = TAG_TTL;
	w.lists = calloc((size_t)argc + 1, sizeof(*w.lists));
	if (!w.lists)
		return -ENOMEM;
	w.is_helper = is_helper(argv[0]);
	rc = read_words(out, &w, argv, e);
	for (i = 0; rc == 0 && out->action == OPTIONS_MOUNT && i < w.n_lists; i++)
		rc = set_options(out, w.lists[i], is_root, w.sloppy, e);
	if (rc == 0 && out->action == OPTIONS_MOUNT && w.n_operands < 2)
		rc = err_set(e, -EINVAL,
			     "a source and a mount point are needed; see peelfs -h");
	if (rc == 0 && w.n_operands > 0 && !w.operands[0][0])
		rc = err_set(e, -EINVAL, "the source is empty; see peelfs -h");
	if (rc == 0 && w.n_operands == 2) {
		rc = set_text(&out->source, w.operands[0]);
		if (rc == 0)
			rc = set_text(&out->mountpoint, w.operands[1]);
	}
	if (w.fake && out->action == OPTIONS_MOUNT)
		out->action = OPTIONS_FAKE;
	/* Who lets others in lets them see only what the modes allow. */
	out->default_permissions |= out->allow_other;
	free(w.lists);
	return rc;
}

void options_release(struct options *o)
{
	free(o->source);
	free(o->mountpoint);
	free(o->cache_dir);
	free(o->authfile);
	free(o->cacert);
	buf_release(&o->kernel);
	memset(o, 0, sizeof(*o));
}
