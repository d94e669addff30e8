/* SPDX-License-Identifier: MIT */
/*
 * A layer by its zTOC and the same layer streamed: the same entries, the same bytes.
 * The zTOCs of tests/data/ztoc/good are of layer.tar.gz: library.ztoc by SOCI's own
 * library, old.ztoc in the oldest form, plain.ztoc of the tar without gzip.
 */
#include "tar/toc/ztoc.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/source.h"
#include "base/store/store.h"
#include "tar/codec/decoder.h"
#include "tar/layer.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/flatbuffer.h"
#include "tar/toc/toc_ref.h"
#include "tests/unit/plant.h"
#include "tests/unit/test.h"

#define GOOD "tests/data/ztoc/good/"

static struct store *store;

static void read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *to;

	buf_init(out, 1 << 24);
	plant_must(fd < 0 || fstat(fd, &st) < 0 ? -errno : 0, path);
	plant_must(buf_reserve(out, (size_t)st.st_size, &to), path);
	plant_must(read(fd, to, (size_t)st.st_size) == st.st_size ? 0 : -EIO, path);
	buf_advance(out, (size_t)st.st_size);
	close(fd);
}

static int reserve(void *arg, void **room, size_t *len)
{
	*len = 100000;
	return buf_reserve(arg, *len, room);
}

static int append(void *arg, size_t len)
{
	buf_advance(arg, len);
	return 0;
}

static int no_span(void *arg, const struct span *sp)
{
	(void)arg;
	(void)sp;
	return 0;
}

static void decode(const struct buf *in, struct buf *out)
{
	static const struct decoder_ops ops = {reserve, append, no_span};
	struct decoder *d = NULL;

	buf_init(out, 1 << 24);
	plant_must(decoder_new(&ops, out, &d), "a decoder");
	plant_must(decoder_feed(d, in->data, in->len, NULL), "decoding");
	plant_must(decoder_finish(d, NULL), "decoding");
	decoder_free(d);
}

static struct digest digest_for(const struct buf *b)
{
	struct digest d;

	plant_must(digest_of(DIGEST_SHA256, b->data, b->len, &d), "a digest");
	return d;
}

/* Loads the layer, by the zTOC if there is one. */
static struct layer *load(const struct buf *blob, const struct buf *ztoc,
			  const struct digest *want)
{
	struct digest d = digest_for(blob);
	struct source *s = NULL, *z = NULL;
	struct layer *l = NULL;
	struct err e = {""};

	plant_must(source_memory(blob->data, blob->len, &s), "a source");
	plant_must(layer_new(store, &d, s, &l), "a layer");
	if (ztoc) {
		plant_must(source_memory(ztoc->data, ztoc->len, &z), "a source");
		layer_set_hints(l,
				&(struct toc_hints){.beside_digest = want, .beside = z});
		source_unref(z);
	}
	plant_must(layer_load(l, NULL, &e), e.text);
	return l;
}

static void read_all(struct layer *l, const struct entry *file, struct buf *out)
{
	struct layer_data data;
	uint64_t off = 0;

	buf_clear(out);
	while (off < file->size) {
		size_t len = (size_t)(file->size - off);
		void *to;

		plant_must(layer_get(l, file->data + off, &len, NULL, &data, NULL),
			   "reading");
		plant_must(buf_reserve(out, len, &to), "memory");
		if (data.fd >= 0)
			plant_must(pread(data.fd, to, len, (off_t)data.off) ==
						   (ssize_t)len
					   ? 0
					   : -EIO,
				   "the data file");
		else
			memcpy(to, data.mem, len);
		buf_advance(out, len);
		layer_unget(l, &data);
		off += len;
	}
}

static void compare(struct layer *a, struct layer *b, const char *what)
{
	const struct index *x = layer_index(a), *y = layer_index(b);
	struct buf left, right;
	struct entry p, q;
	unsigned wrong;
	uint32_t i;

	buf_init(&left, 1 << 24);
	buf_init(&right, 1 << 24);
	plant_must(plant_dump(x, &left, &wrong), "a dump");
	plant_must(plant_dump(y, &right, &wrong), "a dump");
	is_text(buf_text(&right), buf_text(&left), "%s: the same tree", what);
	wrong = 0;
	for (i = 0; index_entry(x, i, &p) == 0 && index_entry(y, i, &q) == 0; i++) {
		wrong += p.mtime != q.mtime || p.mode != q.mode || p.gid != q.gid ||
			 p.size != q.size || !p.xattrs != !q.xattrs ||
			 p.rdev_minor != q.rdev_minor;
		if (!S_ISREG(p.mode) || p.inode != i)
			continue;
		read_all(a, &p, &left);
		read_all(b, &q, &right);
		wrong += left.len != right.len ||
			 memcmp(left.data, right.data, left.len) != 0;
	}
	is_int(wrong, 0, "%s: the same entries and bytes", what);
	buf_release(&left);
	buf_release(&right);
}

static void test_good(const char *name, const struct buf *blob)
{
	struct layer_progress p;
	struct layer *a, *b;
	struct buf ztoc;
	struct digest d;
	char path[256];

	snprintf(path, sizeof(path), GOOD "%s.ztoc", name);
	read_file(path, &ztoc);
	d = digest_for(&ztoc);
	a = load(blob, NULL, NULL);
	b = load(blob, &ztoc, &d);
	layer_progress(b, &p);
	ok(p.basis == BASIS_SOCI && !p.warning[0], "%s: is used%s", name, p.warning);
	ok(p.fetched < ztoc.len + 32, "%s: and nothing but it is fetched", name);
	compare(a, b, name);
	layer_free(b);

	d.bytes[0] ^= 1;
	b = load(blob, &ztoc, &d);
	layer_progress(b, &p);
	ok(p.basis == BASIS_STREAM && strstr(p.warning, "digest"),
	   "%s: not with another digest", name);
	layer_free(a);
	layer_free(b);
	buf_release(&ztoc);
}

static int parse(const void *data, size_t len, struct source *blob)
{
	uint64_t bytes = 0;
	const struct blob_reader f = {blob, NULL, &bytes, NULL};
	struct ztoc_facts facts;
	struct plant p;
	char *copy = malloc(len + 1); /* so that a sanitizer detects an overrun */
	int rc;

	plant_must(copy ? 0 : -ENOMEM, "memory");
	memcpy(copy, data, len);
	plant_begin(&p);
	rc = ztoc_parse(copy, len, &f, p.tree, &facts, NULL);
	tree_free(p.tree);
	close(p.fd);
	free(copy);
	return rc;
}

static void test_damage(const char *name, const struct buf *blob)
{
	struct source *s = NULL, *other = NULL;
	unsigned taken = 0, strange = 0;
	struct buf ztoc;
	char path[256];
	size_t i;

	snprintf(path, sizeof(path), GOOD "%s.ztoc", name);
	read_file(path, &ztoc);
	plant_must(source_memory(blob->data, blob->len, &s), "a source");
	plant_must(source_memory(blob->data, blob->len - 1, &other), "a source");
	is_int(parse(ztoc.data, ztoc.len, s), 0, "%s: whole", name);
	is_int(parse(ztoc.data, ztoc.len, other), -EBADMSG, "%s: of another layer", name);
	for (i = 0; i < ztoc.len; i += 1 + i / 64)
		taken += parse(ztoc.data, i, s) == 0;
	is_int(taken, 0, "%s: cut anywhere it is refused", name);
	for (i = 0; i < 4096 && i < ztoc.len; i++) {
		int rc;

		ztoc.data[i] ^= (char)(i % 5 ? 0x41 : 0xff);
		rc = parse(ztoc.data, ztoc.len, s);
		strange += rc != 0 && rc != -EBADMSG && rc != -ENOTSUP && rc != -E2BIG;
		ztoc.data[i] ^= (char)(i % 5 ? 0x41 : 0xff);
	}
	is_int(strange, 0, "%s: damaged anywhere it is refused, or taken", name);
	source_unref(s);
	source_unref(other);
	buf_release(&ztoc);
}

int main(void)
{
	struct buf gz, tar;

	read_file(GOOD "layer.tar.gz", &gz);
	decode(&gz, &tar);
	plant_must(store_open_private(&store, NULL), "a store");
	test_good("library", &gz);
	test_good("old", &gz);
	test_good("plain", &tar);
	test_damage("library", &gz);
	test_damage("old", &gz);
	test_damage("plain", &tar);
	store_close(store);
	buf_release(&gz);
	buf_release(&tar);
	return test_done();
}
