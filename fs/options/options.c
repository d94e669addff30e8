/* SPDX-License-Identifier: MIT */
/*
 * getopt() is not used: in some C libraries, and in all with POSIXLY_CORRECT set, it stops
 * at the first operand, and mount(8) puts the operands first.
 */
#include "fs/options/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"

/* More than people type, less than the kernel's page for options. */
#define KERNEL_OPTIONS_MAX 3000

/* Of seconds and connections: more is a mistake. */
#define NUMBER_MAX 1000000

/* (uid_t)-1 means no user. */
#define OWNER_MAX (UINT32_MAX - 1)

/* The default of tag_ttl=. */
#define TAG_TTL 60

#define AS_TEXT(number)	   #number
#define DEFAULT_TEXT(name) "; default: " AS_TEXT(name)

static const char usage[] =
	"usage: peelfs [-fdv] [-o OPTION[,OPTION...]] SOURCE MOUNTPOINT\n"
	"\n"
	"Mounts a container image straight from its registry, read-only.\n"
	"\n"
	"SOURCE      nginx:1.27, ghcr.io/owner/repo@sha256:..., localhost:5000/a/b,\n"
	"            oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF],\n"
	"            dir:DIR (as FILE, - is standard input); a name that ends in a\n"
	"            slash is a registry to browse: localhost:5000/, /\n"
	"MOUNTPOINT  a directory; unmount it with `umount` or `fusermount3 -u`\n"
	"\n"
	"  -f        stay in the foreground\n"
	"  -d        stay in the foreground and trace every request\n"
	"  -v        print more messages\n"
	"  -V        print the version\n"
	"  -h        print this help\n"
	"  -o ...    options of mount(8), and:\n";

enum kind {
	FLAG,	/* bool; takes no value, all others need one */
	TEXT,	/* char * */
	NUMBER, /* unsigned, not 0 */
	CHOICE, /* an enum: the number of the value among those in .value */
	OWNER,	/* int64_t: a user or group ID */
	SIZE,	/* uint64_t, bytes, not 0 */
	PLATFORM,
};

/*
 * The options of -o: parsing and help are made from this table, the completions read the
 * help, and a test compares the table with man/peelfs.1.
 */
#define AT(field) offsetof(struct options, field)

static const struct option {
	const char *name;
	const char *value; /* NULL: takes none */
	const char *help;
	enum kind kind;
	size_t offset; /* of the field in struct options */
} table[] = {
	{"platform", "OS/ARCH[/VARIANT]",
	 "which image of an index; default: this machine's", PLATFORM, AT(platform)},
	{"layout", "image|rootfs|store|erofs",
	 "the root alone; for podman; for containerd", CHOICE, AT(layout)},
	{"images", "FILE", "layout=store, layout=erofs: one image a line", TEXT,
	 AT(images)},
	{"erofs", NULL, "layout=rootfs by the kernel's EROFS; for root", FLAG, AT(erofs)},
	{"wait", NULL, "return once all layers are indexed", FLAG, AT(wait)},
	{"index", "auto|registry|none", "use indexes that a registry keeps", CHOICE,
	 AT(tocs)},
	{"ino", "content|unique", "equal files share an inode number, or never", CHOICE,
	 AT(ino)},
	{"ino32", NULL, "inode numbers of 32 bits, for 32-bit programs", FLAG, AT(ino32)},
	{"list", "all|once", "once: grep -r meets each file once", CHOICE, AT(list)},
	{"cache_dir", "DIR", "the store: where layers are kept", TEXT, AT(cache_dir)},
	{"lower_cache", "DIR[:DIR]", "stores that are only read, below that one", TEXT,
	 AT(lower_cache)},
	{"cache_size", "SIZE", "most that all mounts keep there; default: 10G", SIZE,
	 AT(cache_size)},
	{"cache", "data|index|none", "keep everything, no contents, or nothing", CHOICE,
	 AT(cache)},
	{"authfile", "FILE", "credentials for registries", TEXT, AT(client.authfile)},
	{"cacert", "FILE", "a certificate authority to trust", TEXT, AT(client.cacert)},
	{"policy", "FILE", "which images to accept; default: policy.json", TEXT,
	 AT(client.policy)},
	{"verify", "FILE", "accept only what this key has signed", TEXT,
	 AT(client.verify)},
	{"insecure", NULL, "allow http and unknown certificates", FLAG,
	 AT(client.insecure)},
	{"offline", NULL, "ask no registry, use what is in the store", FLAG,
	 AT(client.offline)},
	{"connections", "N",
	 "most connections to one host" DEFAULT_TEXT(CLIENT_CONNECTIONS), NUMBER,
	 AT(client.connections)},
	{"timeout", "SECONDS",
	 "longest wait for the network" DEFAULT_TEXT(CLIENT_TIMEOUT), NUMBER,
	 AT(client.timeout)},
	{"tag_ttl", "SECONDS", "browsing: how long a tag is valid" DEFAULT_TEXT(TAG_TTL),
	 NUMBER, AT(tag_ttl)},
	{"allow_other", NULL, "let other users in; implies default_permissions", FLAG,
	 AT(allow_other)},
	{"default_permissions", NULL, "enforce file modes", FLAG,
	 AT(default_permissions)},
	{"uid", "NUMBER", "owner of all files; default: as in the image", OWNER, AT(uid)},
	{"gid", "NUMBER", "group of all files; default: as in the image", OWNER, AT(gid)},
};

#define N_OPTIONS (sizeof(table) / sizeof(table[0]))

/* Options that mount(8) hands down, each name between spaces. */

static const char for_kernel[] = " nosuid nodev exec noexec noatime nodiratime context "
				 "fscontext defcontext rootcontext ";
/* For the kernel if root asks, else ignored. */
static const char for_root[] = " suid dev ";
static const char refused[] = " remount ";
/*
 * mount(8)'s own business, or true anyway. `rw` is what mount(8) says if nothing was asked;
 * the mount is read-only all the same.
 */
static const char ignored[] =
	" ro rw defaults atime diratime relatime norelatime strictatime nostrictatime "
	"lazytime nolazytime iversion noiversion sync async dirsync mand nomand silent loud "
	"auto noauto user nouser users nousers owner noowner group nogroup nofail _netdev "
	"uhelper helper comment ";

void options_print_help(FILE *out)
{
	char name[64];
	size_t i;

	fputs(usage, out);
	for (i = 0; i < N_OPTIONS; i++) {
		snprintf(name, sizeof(name), "%s%s%s", table[i].name,
			 table[i].value ? "=" : "", table[i].value ? table[i].value : "");
		fprintf(out, "    %-27s %s\n", name, table[i].help);
	}
}

static int set_text(char **field, const char *value)
{
	char *text = strdup(value);

	if (!text)
		return -ENOMEM;
	free(*field);
	*field = text;
	return 0;
}

static int set_choice(unsigned *field, const struct option *option, const char *value,
		      struct err *e)
{
	const char *choice = option->value;
	size_t len = strlen(value);
	unsigned i;

	for (i = 0; *choice; i++) {
		size_t n = strcspn(choice, "|");

		if (n == len && strncmp(choice, value, n) == 0) {
			*field = i;
			return 0;
		}
		choice += n + (choice[n] == '|');
	}
	return err_set(e, -EINVAL, "%s=%s: expected %s", option->name, value,
		       option->value);
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

int options_next_dir(const char **list, char **dir)
{
	const char *at = *list + strspn(*list, ":");
	size_t len = 0;

	if (!*at)
		return 0;
	*dir = malloc(strlen(at) + 1);
	if (!*dir)
		return -ENOMEM;
	for (; *at && *at != ':'; at++) {
		if (*at == '\\' && (at[1] == ':' || at[1] == '\\'))
			at++;
		(*dir)[len++] = *at;
	}
	(*dir)[len] = '\0';
	*list = at;
	return 1;
}

static int add_kernel_option(struct options *o, const char *option)
{
	int rc = buf_append(&o->kernel, ",", 1);

	return rc < 0 ? rc : options_append_escaped(&o->kernel, option);
}

/* @text: the option as given; @value: what follows its '=', or NULL. */
static int apply_option(struct options *o, const struct option *option, const char *text,
			const char *value, struct err *e)
{
	void *field = (char *)o + option->offset;
	uint64_t number;

	if (option->kind == FLAG && value)
		return err_set(e, -EINVAL, "option %s takes no value", option->name);
	if (option->kind != FLAG && (!value || !*value))
		return err_set(e, -EINVAL, "option %s needs a value", option->name);
	switch (option->kind) {
	case FLAG:
		*(bool *)field = true;
		break;
	case TEXT:
		return set_text(field, value);
	case NUMBER:
		if (!num_parse(value, strlen(value), NUMBER_MAX, &number) || number == 0)
			return err_set(e, -EINVAL, "%s: expected a number from 1 to %d",
				       text, NUMBER_MAX);
		*(unsigned *)field = (unsigned)number;
		break;
	case CHOICE:
		return set_choice(field, option, value, e);
	case OWNER:
		if (!num_parse(value, strlen(value), OWNER_MAX, &number))
			return err_set(
				e, -EINVAL,
				"%s: expected the number of a %s, from 0 to %" PRIu32,
				text, option->name[0] == 'u' ? "user" : "group",
				OWNER_MAX);
		*(int64_t *)field = (int64_t)number;
		break;
	case SIZE:
		if (!num_parse_size(value, &number) || number == 0)
			return err_set(
				e, -EINVAL,
				"%s: expected a size, as in 500M or 20G, from 1 to "
				"16777215T",
				text);
		*(uint64_t *)field = number;
		break;
	case PLATFORM:
		o->wants_platform = true;
		return platform_parse(value, field, e);
	}
	return 0;
}

static bool is_in_list(const char *list, const char *name, size_t len)
{
	const char *p = list;

	if (len == 0 || memchr(name, ' ', len))
		return false;
	while ((p = memmem(p, strlen(p), name, len))) {
		if (p > list && p[-1] == ' ' && p[len] == ' ')
			return true;
		p += len;
	}
	return false;
}

/* The number of letters to insert, remove or replace (Levenshtein), or NAME_DISTANCE_MAX. */
#define NAME_DISTANCE_MAX 3

static size_t name_distance(const char *name, const char *text, size_t len)
{
	size_t row[32], above, left, i, k, n = strlen(name);

	if (n + 1 > sizeof(row) / sizeof(row[0]) || len > n + NAME_DISTANCE_MAX)
		return NAME_DISTANCE_MAX;
	for (i = 0; i <= n; i++)
		row[i] = i;
	for (k = 0; k < len; k++) {
		above = row[0]++;
		for (i = 1; i <= n; i++) {
			left = row[i - 1] < row[i] ? row[i - 1] : row[i];
			above += name[i - 1] != text[k];
			left = left + 1 < above ? left + 1 : above;
			above = row[i];
			row[i] = left;
		}
	}
	return row[n] < NAME_DISTANCE_MAX ? row[n] : NAME_DISTANCE_MAX;
}

/* @text: as given, with its dashes. The sentence names the option that was meant, if any. */
static int refuse_unknown(const char *text, struct err *e)
{
	const char *name = text + strspn(text, "-");
	size_t i, distance, len = strcspn(name, "=");
	size_t least = len / 2 < NAME_DISTANCE_MAX ? len / 2 : NAME_DISTANCE_MAX;
	const struct option *nearest = NULL;

	for (i = 0; i < N_OPTIONS; i++) {
		distance = name_distance(table[i].name, name, len);
		if (distance < least) {
			nearest = &table[i];
			least = distance;
		}
	}
	if (!nearest)
		return err_set(e, -EINVAL, "unknown option %s", text);
	return err_set(e, -EINVAL, "unknown option %s; -o %s%s%s?", text, nearest->name,
		       nearest->value ? "=" : "", nearest->value ? nearest->value : "");
}

static int apply_mount8(struct options *o, const char *text, size_t len, bool is_root,
			bool sloppy, struct err *e)
{
	if (is_in_list(for_kernel, text, len))
		return add_kernel_option(o, text);
	if (is_in_list(for_root, text, len))
		return is_root ? add_kernel_option(o, text) : 0;
	if (is_in_list(refused, text, len))
		return err_set(e, -EINVAL,
			       "remount is not supported: unmount it, then mount it "
			       "again with the new options");
	if (sloppy || is_in_list(ignored, text, len) || strncmp(text, "x-", 2) == 0 ||
	    strncmp(text, "X-", 2) == 0)
		return 0;
	return refuse_unknown(text, e);
}

static int set_option(struct options *o, const char *text, bool is_root, bool sloppy,
		      struct err *e)
{
	size_t i, len = strcspn(text, "=");

	for (i = 0; i < N_OPTIONS; i++) {
		if (strlen(table[i].name) == len &&
		    strncmp(table[i].name, text, len) == 0)
			return apply_option(o, &table[i], text,
					    text[len] ? text + len + 1 : NULL, e);
	}
	return apply_mount8(o, text, len, is_root, sloppy, e);
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

/* The command line, split: -o lists are parsed after all of it, for -s may come last. */
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
		return err_set(
			e, -EINVAL,
			"%s: too many operands: expected a source and a mount point",
			text);
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
		case 'n': /* write no mtab, which nobody does any more */
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
		case 'o':
		case 't': /* mount(8) adds the full type and a namespace */
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
			rc = refuse_unknown(arg, e);
		else
			rc = read_letters(o, w, arg + 1, &next, e);
	}
	return rc;
}

static bool is_mount_helper(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return program && strcmp(slash ? slash + 1 : program, "mount.peelfs") == 0;
}

/* Options that say nothing together. */
static int check_options(const struct options *o, struct err *e)
{
	if (o->images && o->layout != LAYOUT_STORE && o->layout != LAYOUT_EROFS)
		return err_set(e, -EINVAL,
			       "images=%s: only layout=store and layout=erofs show a "
			       "list of images",
			       o->images);
	return 0;
}

/* What an EROFS has is in its superblock: owners are those of the image. */
static int settle_erofs(struct options *o, struct err *e)
{
	if (!o->erofs)
		return 0;
	if (o->layout != LAYOUT_ROOTFS)
		return err_set(e, -EINVAL, "option erofs needs layout=rootfs");
	if (o->uid >= 0 || o->gid >= 0)
		return err_set(e, -EINVAL,
			       "option erofs shows the owners that the image has, so it "
			       "excludes uid= and gid=");
	o->layout = LAYOUT_IMAGE;
	o->wait = true;
	return 0;
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
	w.is_helper = is_mount_helper(argv[0]);
	rc = read_words(out, &w, argv, e);
	for (i = 0; rc == 0 && out->action == OPTIONS_MOUNT && i < w.n_lists; i++)
		rc = set_options(out, w.lists[i], is_root, w.sloppy, e);
	if (rc == 0)
		rc = check_options(out, e);
	if (rc == 0 && out->action == OPTIONS_MOUNT && w.n_operands < 2)
		rc = err_set(e, -EINVAL,
			     "expected a source and a mount point; see peelfs -h");
	if (rc == 0 && w.n_operands > 0 && !w.operands[0][0])
		rc = err_set(e, -EINVAL, "the source is empty; see peelfs -h");
	if (rc == 0 && w.n_operands == 2) {
		rc = set_text(&out->source, w.operands[0]);
		if (rc == 0)
			rc = set_text(&out->mountpoint, w.operands[1]);
	}
	if (w.fake && out->action == OPTIONS_MOUNT)
		out->action = OPTIONS_FAKE;
	if (rc == 0 && out->action == OPTIONS_MOUNT)
		rc = settle_erofs(out, e);
	/* Other users may see only what the modes allow. */
	out->default_permissions |= out->allow_other;
	free(w.lists);
	return rc;
}

void options_release(struct options *o)
{
	free(o->source);
	free(o->mountpoint);
	free(o->cache_dir);
	free(o->images);
	free(o->lower_cache);
	free((char *)o->client.authfile);
	free((char *)o->client.cacert);
	free((char *)o->client.policy);
	free((char *)o->client.verify);
	buf_release(&o->kernel);
	memset(o, 0, sizeof(*o));
}
