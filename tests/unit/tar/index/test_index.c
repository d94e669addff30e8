/* SPDX-License-Identifier: MIT */
/*
 * Damage: whatever happens to the file, an answer is the same as before or -EBADMSG,
 * and nothing crashes. The answers of undamaged indexes are in test_tree.c and
 * test_flat.c.
 */
#include "tar/index/index.h"

#include "tar/index/format.h"
#include "tests/unit/answers.h"
#include "tests/unit/plant.h"
#include "tests/unit/test.h"

struct image {
	unsigned char *bytes;
	size_t size;
};

/* A bit of everything. */
static void plant_some(struct plant *p, unsigned n_more)
{
	static const struct tar_xattr xattrs[] = {{"user.a", "value", 5},
						  {"user.b", "", 0}};
	static const struct extent runs[] = {{10, 20}, {100, 5}};
	struct tar_entry f = {.path = "d/with",
			      .path_len = 6,
			      .mode = S_IFREG,
			      .size = 9,
			      .stored = 9,
			      .data = 77,
			      .xattrs = xattrs,
			      .n_xattrs = 2};
	struct tar_entry s = {.path = "sparse",
			      .path_len = 6,
			      .mode = S_IFREG,
			      .size = 1000,
			      .stored = 25,
			      .data = 512,
			      .is_sparse = true,
			      .extents = runs,
			      .n_extents = 2};
	struct span sp = {.kind = SPAN_DEFLATE,
			  .in = 10,
			  .in_len = 100,
			  .out_len = 1000,
			  .window = "some window",
			  .window_len = 11,
			  .has_crc = true,
			  .crc = 7};
	static const uint8_t sum[32] = "digest";
	uint32_t file, i;
	char path[32];

	plant_begin(p);
	plant_lines(
		p,
		"d d\nf d/f 100\nl l d/f\nc c 1:3\nh h d/f\nh x nope\nh y d\nf d/.wh.z");
	plant_must(tree_add(p->tree, &f, &file, NULL), "a file");
	tree_set_digest(p->tree, file, sum);
	plant_must(plant_add(p, &s), "a sparse file");
	plant_must(tree_add_span(p->tree, &sp), "a span");
	sp.out = 1000;
	plant_must(tree_add_span(p->tree, &sp), "another");
	for (i = 0; i < n_more; i++) {
		snprintf(path, sizeof(path), "many/%u", i * 7919 % n_more);
		f.path = path;
		f.path_len = strlen(path);
		plant_must(plant_add(p, &f), "one more");
	}
}

static struct image image_of(struct plant *p)
{
	int fd = plant_finish(p);
	off_t size = lseek(fd, 0, SEEK_END);
	struct image im = {malloc((size_t)size), (size_t)size};

	plant_must(im.bytes && pread(fd, im.bytes, im.size, 0) == size ? 0 : -EIO,
		   "an image");
	close(fd);
	return im;
}

static int open_bytes(const unsigned char *bytes, size_t size, struct index **out)
{
	int fd = memfd_create("index", MFD_CLOEXEC);

	plant_must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size ? 0 : -EIO,
		   "a file");
	return index_open(fd, &plant_digest, out, NULL);
}

static const char *line_end(const char *line)
{
	return line + strcspn(line, "\n");
}

/* Each line is the same or "bad"; nothing below a bad entry is queried. */
static bool is_part_of(const char *got, const char *want)
{
	while (*got && *want) {
		size_t len = (size_t)(line_end(got) - got);
		bool is_bad = len == 3 && memcmp(got, "bad", 3) == 0;

		if (is_bad || (len == (size_t)(line_end(want) - want) &&
			       memcmp(got, want, len) == 0))
			got = line_end(got) + 1;
		want = line_end(want) + 1;
	}
	return !*got;
}

struct tally {
	unsigned refused, found, same, wrong, unverified;
};

static void try_damage(const struct image *im, size_t at, unsigned char mask,
		       const struct answers *truth, struct answers *a, struct tally *t)
{
	const struct index_head *head = (const struct index_head *)(const void *)
						im->bytes;
	bool in_body = at >= INDEX_HEAD_SIZE && at < head->blocks.off;
	struct index *ix = NULL;
	int rc;

	im->bytes[at] ^= mask;
	rc = open_bytes(im->bytes, im->size, &ix);
	if (rc < 0) {
		t->refused += rc == -EBADMSG;
		t->wrong += rc != -EBADMSG || in_body;
	} else {
		answers_all(a, ix);
		if (a->n_bad > 0)
			t->found++;
		else
			t->same += strcmp(buf_text(&a->text), buf_text(&truth->text)) ==
				   0;
		t->wrong += !is_part_of(buf_text(&a->text), buf_text(&truth->text));
		t->wrong += index_take_damage(ix) != (a->n_bad > 0);
		t->unverified += index_verify(ix) == 0;
		index_close(ix);
	}
	im->bytes[at] ^= mask;
}

static void test_flips(unsigned n_more, size_t step, const char *what)
{
	struct answers truth, a;
	struct tally t = {0};
	struct index *ix = NULL;
	struct image im;
	struct plant p;
	unsigned n = 0;
	size_t at;

	answers_init(&truth);
	answers_init(&a);
	plant_some(&p, n_more);
	im = image_of(&p);
	plant_must(open_bytes(im.bytes, im.size, &ix), "the index");
	answers_all(&truth, ix);
	is_int(truth.n_bad, 0, "%s: whole, all is said", what);
	ok(!index_take_damage(ix), "and nothing is damaged");
	index_close(ix);

	for (at = 0; at < im.size; at += step, n++)
		try_damage(&im, at, at % 3 ? 1 << at % 8 : 0xff, &truth, &a, &t);
	ok(t.refused > 0 && t.found > 0 && (step > 1 || t.same > 0),
	   "%s: of %u flips %u are seen at opening, %u later, %u do not matter", what, n,
	   t.refused, t.found, t.same);
	is_int(t.wrong, 0, "nothing wrong is said");
	is_int(t.unverified, 0, "and each is found by a look at all of it");
	buf_release(&truth.text);
	buf_release(&a.text);
	free(im.bytes);
}

static void test_lengths(void)
{
	struct index *ix = NULL;
	unsigned wrong = 0;
	struct image im;
	struct plant p;
	unsigned char *more;
	size_t len;

	plant_some(&p, 0);
	im = image_of(&p);
	for (len = 0; len < im.size; len++)
		wrong += open_bytes(im.bytes, len, &ix) != -EBADMSG;
	is_int(wrong, 0, "cut at any of %zu bytes it is refused", im.size);
	more = calloc(1, im.size + 9);
	plant_must(more ? 0 : -ENOMEM, "more");
	memcpy(more, im.bytes, im.size);
	for (len = 1; len < 10; len++)
		wrong += open_bytes(more, im.size + len, &ix) != -EBADMSG;
	is_int(wrong, 0, "or longer");
	memset(more, 0, im.size);
	is_int(open_bytes(more, im.size, &ix), -EBADMSG, "zeros are none");
	free(more);
	free(im.bytes);
}

static void test_others(void)
{
	struct digest other = plant_digest, longer = plant_digest;
	struct index *ix = NULL;
	struct err e = {""};
	struct plant p;
	int fd, ends[2];

	plant_some(&p, 0);
	fd = plant_finish(&p);
	other.bytes[31] ^= 1;
	longer.alg = DIGEST_SHA512;
	is_int(index_open(dup(fd), &other, &ix, &e), -EBADMSG, "of another layer: %s",
	       e.text);
	is_int(index_open(dup(fd), &longer, &ix, &e), -EBADMSG,
	       "of another kind of digest");
	is_int(index_open(dup(fd), &plant_digest, &ix, &e), 0, "of this one");
	index_close(ix);
	index_close(NULL);
	ix = NULL;
	is_int(index_open(fd, &other, &ix, NULL), -EBADMSG, "no place for a sentence");
	is_int(fcntl(fd, F_GETFD), -1, "the descriptor is taken by a failure too");
	ok(!ix, "and nothing is given");
	fd = open("/", O_RDONLY | O_DIRECTORY);
	ok(index_open(fd, &plant_digest, &ix, &e) < 0, "a directory is none: %s", e.text);
	ok(pipe(ends) == 0 && index_open(ends[0], &plant_digest, &ix, &e) < 0,
	   "nor is a pipe");
	close(ends[1]);
	ok(index_open(-1, &plant_digest, &ix, &e) < 0, "nor is nothing: %s", e.text);
}

int main(void)
{
	test_flips(0, 1, "small");
	test_flips(3000, 5003, "large");
	test_lengths();
	test_others();
	return test_done();
}
