/* SPDX-License-Identifier: MIT */
#include "fs/ctl/reader.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "base/secret.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/words.h"
#include "fs/text/titles.h"
#include "registry/image/image.h"
#include "registry/source_name.h"

/* As in the kernel (path_resolution(7)). */
#define LINKS_MAX 40

void reader_prepare(void)
{
	struct rlimit files;

	secret_forbid_core();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* A layer has three files open. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int reader_run(const struct reader_command *c, char **words,
	       const struct word_flag *flags, void *arg)
{
	static const struct word_flag none[] = {{.letter = '\0'}};
	struct words w;
	struct err e = {""};
	int status;

	reader_prepare();
	if (words_parse(&w, words, flags ? flags : none, &e) < 0)
		status = ctl_usage("%s: %s", c->name, e.text);
	else if (w.n_operands < c->least || w.n_operands > c->most)
		status = ctl_usage("%s: expected %s%s", c->name, c->expected,
				   w.n_operands > c->most ? " alone" : "");
	else
		status = c->work(&w, arg);
	words_release(&w);
	return status;
}

static void on_error(void *arg, const char *sentence)
{
	struct reader *r = arg;

	pthread_mutex_lock(&r->lock);
	err_set(&r->logged, 0, "%s", sentence);
	pthread_mutex_unlock(&r->lock);
}

int reader_options(struct reader *r, const struct words *w, const char *source,
		   struct err *e)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	return words_options(w, source, &r->options, e);
}

int reader_start(struct reader *r, struct err *e)
{
	const char *source = r->options.source;
	int rc;

	if (source_name_is_namespace(source))
		return err_set(e, -EINVAL,
			       "%s: a name that ends in a slash is not an image", source);
	log_init(&r->log, r->options.verbose);
	r->log.program = "peelctl";
	r->log.on_error = on_error;
	r->log.arg = r;
	r->is_open = true;
	err_set(e, 0, "out of memory");
	rc = mount_open(&r->mount, &r->options, &r->log, NULL, e);
	if (rc == 0)
		rc = mount_load(&r->mount, e);
	if (rc < 0)
		source_name_suggest(source, e);
	r->nodes = &r->mount.nodes;
	return rc;
}

int reader_open(struct reader *r, const struct words *w, const char *source,
		struct err *e)
{
	int rc = reader_options(r, w, source, e);

	return rc < 0 ? rc : reader_start(r, e);
}

void reader_close(struct reader *r)
{
	if (r->is_open)
		mount_close(&r->mount);
	options_release(&r->options);
	pthread_mutex_destroy(&r->lock);
}

const char *reader_why(struct reader *r, int code, struct err *e)
{
	struct context *c = &r->mount.context;

	err_set(e, code, "%s", strerror(-code));
	if (code != -EIO && code != -EACCES)
		return e->text;
	/* A layer that is broken is logged, but is no failure of a call. */
	pthread_mutex_lock(&r->lock);
	if (r->logged.text[0])
		*e = r->logged;
	pthread_mutex_unlock(&r->lock);
	pthread_mutex_lock(&c->lock);
	if (c->n_last > 0)
		err_set(e, code, "%s", c->last[c->n_last - 1].why);
	pthread_mutex_unlock(&c->lock);
	return e->text;
}

/* TOPS */

int reader_document(struct reader *r, const char *name, struct item *out, struct err *e)
{
	struct err why;
	int rc = nodes_lookup(r->nodes, NODES_TOP, name, NULL, out);

	if (rc == -ENOENT)
		return err_set(e, rc, "%s has no %s: it is not a container image",
			       mount_name(&r->mount), name);
	if (rc < 0)
		return err_set(e, rc, "%s", reader_why(r, rc, &why));
	return 0;
}

/* A list of its names needs all that the tree does. */
static int open_top(struct reader *r, const struct item *top, struct err *e)
{
	struct node_list *l = NULL;
	struct err why;
	int rc = nodes_list_open(r->nodes, top->node, 0, NULL, &l);

	nodes_list_close(rc < 0 ? NULL : l);
	return rc < 0 ? err_set(e, rc, "%s", reader_why(r, rc, &why)) : 0;
}

int reader_rootfs(struct reader *r, uint64_t *top, struct err *e)
{
	struct item item;
	int rc = reader_document(r, "rootfs", &item, e);

	if (rc == 0)
		rc = open_top(r, &item, e);
	if (rc == 0)
		*top = item.node;
	return rc;
}

int reader_layer(struct reader *r, uint32_t number, uint64_t *top, struct err *e)
{
	const struct image *img = r->mount.images.first->image;
	char title[LAYER_TITLE_MAX];
	struct item item;
	struct err why;
	int rc = reader_document(r, "layers", &item, e);

	if (rc < 0)
		return rc;
	if (number < 1 || number > img->n_layers)
		return err_set(e, -ENOENT, "%s has the layers 1 to %zu, not %u",
			       mount_name(&r->mount), img->n_layers, number);
	title_of_layer(img, number - 1, title);
	rc = nodes_lookup(r->nodes, item.node, title, NULL, &item);
	if (rc < 0)
		return err_set(e, rc, "layer %u: %s", number, reader_why(r, rc, &why));
	rc = open_top(r, &item, e);
	if (rc == 0)
		*top = item.node;
	return rc;
}

int reader_top(struct reader *r, const char *layer, uint64_t *top, struct err *e)
{
	uint64_t number;

	if (!layer)
		return reader_rootfs(r, top, e);
	if (!num_parse(layer, strlen(layer), UINT32_MAX, &number))
		return err_set(e, -EINVAL, "--layer=%s: expected a number", layer);
	return reader_layer(r, (uint32_t)number, top, e);
}

/* PATHS */

/* A walk along a path. What is ahead grows when a link is followed. */
struct walk {
	const struct nodes *nodes;
	uint64_t *dirs; /* those on the way, from the top */
	size_t n;
	char *ahead;	/* owned */
	const char *at; /* in it */
	unsigned n_links;
	struct item here;
};

static int enter(struct walk *w, uint64_t dir)
{
	int rc = array_grow(&w->dirs, w->n, sizeof(*w->dirs));

	if (rc == 0)
		w->dirs[w->n++] = dir;
	return rc;
}

/* Back to the directory that is number @n from the top. */
static int go_back(struct walk *w, size_t n)
{
	w->n = n;
	return nodes_describe(w->nodes, w->dirs[n - 1], NULL, &w->here);
}

static int follow_link(struct walk *w)
{
	char target[PATH_MAX], *ahead;
	int rc;

	if (++w->n_links > LINKS_MAX)
		return -ELOOP;
	rc = nodes_readlink(w->nodes, w->here.node, target, sizeof(target), NULL);
	if (rc < 0)
		return rc;
	if (!target[0])
		return -ENOENT;
	if (asprintf(&ahead, "%s%s", target, w->at) < 0)
		return -ENOMEM;
	free(w->ahead);
	w->at = w->ahead = ahead;
	return go_back(w, ahead[0] == '/' ? 1 : w->n);
}

/* Takes the next name of the path; w->at is behind it. */
static int take_name(struct walk *w, bool follow)
{
	size_t len = strcspn(w->at, "/");
	char name[NAME_MAX + 1];
	int rc;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, w->at, len);
	name[len] = '\0';
	w->at += len;
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return go_back(w, w->n > 1 ? w->n - 1 : 1);
	rc = nodes_lookup(w->nodes, w->dirs[w->n - 1], name, NULL, &w->here);
	if (rc < 0)
		return rc;
	if (S_ISDIR(w->here.attr.st_mode))
		return enter(w, w->here.node);
	if (S_ISLNK(w->here.attr.st_mode) && (follow || *w->at))
		return follow_link(w);
	return *w->at ? -ENOTDIR : 0;
}

int reader_find(struct reader *r, uint64_t top, const char *path, bool follow,
		struct item *out)
{
	struct walk w = {.nodes = r->nodes, .ahead = strdup(path)};
	int rc = w.ahead ? enter(&w, top) : -ENOMEM;

	w.at = w.ahead;
	if (rc == 0)
		rc = go_back(&w, 1);
	if (rc == 0 && !*path)
		rc = -ENOENT;
	while (rc == 0 && *(w.at += strspn(w.at, "/")))
		rc = take_name(&w, follow);
	if (rc == 0)
		*out = w.here;
	free(w.ahead);
	free(w.dirs);
	return rc;
}

/* BYTES */

int reader_part(struct reader *r, uint64_t node, uint64_t off, void *out, size_t len)
{
	ssize_t n;
	size_t done = 0;

	while (done < len) {
		n = nodes_read(r->nodes, node, (char *)out + done, len - done, off + done,
			       NULL);
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static ssize_t get_xattr(struct reader *r, uint64_t node, const char *name, void *out,
			 size_t size)
{
	return name ? nodes_getxattr(r->nodes, node, name, out, size, NULL)
		    : nodes_listxattr(r->nodes, node, out, size, NULL);
}

ssize_t reader_xattr(struct reader *r, uint64_t node, const char *name, struct buf *out)
{
	ssize_t len = get_xattr(r, node, name, NULL, 0);
	void *room;
	int rc;

	buf_clear(out);
	if (len <= 0)
		return len;
	rc = buf_reserve(out, (size_t)len, &room);
	if (rc < 0)
		return rc;
	len = get_xattr(r, node, name, room, (size_t)len);
	if (len > 0)
		buf_advance(out, (size_t)len);
	return len;
}

int reader_print(struct reader *r, const struct item *file)
{
	char *part = malloc(READER_PART);
	uint64_t off = 0;
	ssize_t n = part ? 1 : -ENOMEM;

	while (n > 0) {
		n = nodes_read(r->nodes, file->node, part, READER_PART, off, NULL);
		if (n > 0) {
			ctl_write(part, (size_t)n);
			off += (uint64_t)n;
		}
	}
	free(part);
	return (int)n;
}
