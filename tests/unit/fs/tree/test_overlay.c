/* SPDX-License-Identifier: MIT */
/*
 * Layers are written as words, "TYPE:PATH[=LINK]": d directory, f file, h hard link, c character
 * device, w the same with the number 0:0. A directory in the form of overlayfs is written as
 * words, too: "w" for a whiteout, "o" for an opaque directory.
 */
#include "fs/tree/overlay.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "tar/archive/entry.h"
#include "tar/index/tree.h"
#include "tests/unit/test.h"

static int add_word(struct tree *t, char *word)
{
	char *path = word + 2, *link = strchr(path, '=');
	struct tar_entry e = {.path = path};
	struct err err;
	uint32_t file;

	if (link) {
		*link++ = '\0';
		e.link = link;
		e.link_len = strlen(link);
	}
	e.path_len = strlen(path);
	e.is_hardlink = word[0] == 'h';
	e.rdev_major = word[0] == 'c' ? 5 : 0;
	e.mode = word[0] == 'd'			    ? S_IFDIR | 0755
		 : word[0] == 'w' || word[0] == 'c' ? S_IFCHR
						    : S_IFREG | 0644;
	return tree_add(t, &e, &file, &err);
}

static struct index *make_index(const char *words)
{
	int fd = memfd_create("index", 0);
	struct index_info facts = {0};
	struct tree *t = NULL;
	struct index *ix = NULL;
	char *copy = strdup(words), *word, *rest = copy;
	struct err err = {""};
	int rc;

	digest_of(DIGEST_SHA256, words, strlen(words), &facts.blob);
	rc = tree_new(fd, &t);
	while (rc == 0 && (word = strsep(&rest, " ")))
		rc = *word ? add_word(t, word) : 0;
	if (rc == 0)
		rc = tree_finish(t, &facts, &err);
	tree_free(t);
	if (rc == 0)
		rc = index_open(fd, &facts.blob, &ix, &err);
	if (rc < 0)
		printf("# no index of \"%s\": %s\n", words, err.text);
	free(copy);
	return ix;
}

static char type_of(const struct index *ix, const struct entry *e)
{
	if (overlay_is_whiteout(e))
		return 'w';
	if (overlay_is_device(ix, e))
		return 'c';
	if (S_ISCHR(e->mode))
		return 'w';
	if (!S_ISDIR(e->mode))
		return 'f';
	return overlay_is_opaque(ix, e) == 1 ? 'o' : 'd';
}

/* Every name that is shown must be found, as the same entry. */
static void write_dir(const struct index *ix, const struct entry *dir, const char *path,
		      struct buf *out)
{
	struct entry e, found;
	const char *name;
	size_t len;
	uint32_t i;
	char below[256];

	for (i = 0; i < dir->n_children; i++) {
		if (index_entry(ix, dir->first_child + i, &e) < 0 ||
		    overlay_name(ix, dir, &e, &name, &len) != 1)
			continue;
		if (overlay_find(ix, dir, name, len, &found) < 0 || found.id != e.id)
			ok(false, "%.*s is found", (int)len, name);
		snprintf(below, sizeof(below), "%s%.*s", path, (int)len, name);
		buf_printf(out, "%s%c:%s", out->len ? " " : "", type_of(ix, &e), below);
		if (S_ISDIR(e.mode) && !overlay_is_whiteout(&e)) {
			strcat(below, "/");
			write_dir(ix, &e, below, out);
		}
	}
}

static void shows(const char *words, const char *want)
{
	struct index *ix = make_index(words);
	struct entry root;
	struct buf out;

	if (!ix)
		return;
	buf_init(&out, 4096);
	index_entry(ix, 0, &root);
	if (overlay_is_opaque(ix, &root) == 1)
		buf_append_text(&out, "o:.");
	write_dir(ix, &root, "", &out);
	is_text(buf_text(&out), want, "%s", words);
	buf_release(&out);
	index_close(ix);
}

static void finds(const char *words, const char *name, int want)
{
	struct index *ix = make_index(words);
	struct entry root, e;

	if (!ix)
		return;
	index_entry(ix, 0, &root);
	is_int(overlay_find(ix, &root, name, strlen(name), &e), want, "\"%s\" in %s",
	       name, words);
	index_close(ix);
}

int main(void)
{
	shows("d:a f:a/b", "d:a f:a/b");
	shows("f:.wh.a", "w:a");
	shows("d:.wh.a f:.wh.a/b", "w:a");
	shows("d:a f:a/.wh.b f:a/c", "d:a w:a/b f:a/c");
	shows("d:a f:a/.wh..wh..opq f:a/b", "o:a f:a/b");
	shows("f:.wh..wh..opq f:b", "o:. f:b");
	/* What the layer has beside a whiteout wins, and hides what is below it. */
	shows("f:a f:.wh.a", "f:a");
	shows("d:a f:a/b f:.wh.a", "o:a f:a/b");
	/* No names: of aufs, of the directory itself, of nothing. */
	shows("f:.wh..wh.plnk f:.wh..wh.aufs f:.wh.. f:.wh... f:.wh. f:b", "f:b");
	shows("f:.wh..a", "w:.a");
	/* Links to whiteouts are whiteouts. */
	shows("f:.wh.a h:.wh.b=.wh.a h:.wh.c=none", "w:a w:b w:c");
	shows("w:a c:b h:d=b", "w:a c:b c:d");
	finds("f:.wh.a", ".wh.a", -ENOENT);
	finds("f:.wh.a", "a", 0);
	finds("f:.wh.a", "b", -ENOENT);
	finds("f:.wh.a", ".", -ENOENT);
	finds("f:.wh.", "", -ENOENT);
	return test_done();
}
