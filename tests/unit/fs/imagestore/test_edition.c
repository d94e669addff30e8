/* SPDX-License-Identifier: MIT */
/* images.json and layers.json, read again as an engine reads them. */
#include "fs/imagestore/edition.h"

#include "base/json.h"
#include "fs/imagestore/catalog.h"
#include "tests/unit/test.h"

/* Two images that share the lowest of their layers. */
static struct stored_layer low = {.number = 0, .id = "low", .blob_size = 10},
			   left = {.number = 1,
				   .id = "left",
				   .parent = &low,
				   .blob_size = 20,
				   .size = 200,
				   .compression = STORED_GZIP},
			   right = {.number = 2, .id = "right", .parent = &low};
static struct stored_layer *left_layers[] = {&low, &left},
			   *right_layers[] = {&low, &right};
static struct stored_image left_image = {.id = "a",
					 .layers = left_layers,
					 .n_layers = 2,
					 .created = INT64_MAX},
			   right_image = {.id = "b",
					  .layers = right_layers,
					  .n_layers = 2},
			   empty_image = {.id = "c"};

static void make(struct edition *ed, const struct edition_image *list, size_t n,
		 struct json **images, struct json **layers)
{
	*ed = (struct edition){.number = 1};
	*images = *layers = NULL;
	is_int(edition_make(ed, list, n), 0, "%zu images", n);
	is_int(json_parse(buf_text(&ed->images), ed->images.len, images, NULL), 0,
	       "images.json");
	is_int(json_parse(buf_text(&ed->layers), ed->layers.len, layers, NULL), 0,
	       "layers.json");
}

static void release(struct edition *ed, struct json *images, struct json *layers)
{
	json_free(images);
	json_free(layers);
	edition_release(ed);
}

static const char *text_of(const struct json *list, size_t i, const char *key)
{
	return json_member_string(json_item(list, i), key);
}

static const char *name_of(const struct json *list, size_t i, size_t k)
{
	return json_string(json_item(json_member(json_item(list, i), "names"), k));
}

static void test_nothing(void)
{
	struct json *images, *layers;
	struct edition ed;

	make(&ed, NULL, 0, &images, &layers);
	is_int(json_type(images), JSON_ARRAY, "a list");
	is_int(json_count(images) + json_count(layers), 0, "of nothing");
	is_int(strlen(ed.generation), EDITION_GENERATION_SIZE, "with a generation");
	release(&ed, images, layers);
}

static void test_images(void)
{
	char *names[] = {(char *)"x:1", (char *)"x:1", (char *)"x:2"};
	const struct edition_image list[] = {
		{.image = &left_image, .names = names, .n_names = 2},
		{.image = &right_image, .names = names, .n_names = 3},
		{.image = &left_image, .names = names + 2, .n_names = 1},
		{.image = &empty_image},
	};
	struct json *images, *layers;
	struct edition ed;
	int64_t n = 0;

	make(&ed, list, 4, &images, &layers);
	is_int(json_count(images), 3, "each image once");
	is_text(text_of(images, 0, "layer"), "left", "its top layer");
	is_text(text_of(images, 2, "layer"), NULL, "or none");
	is_text(text_of(images, 0, "created"), "1970-01-01T00:00:00Z", "a time Go reads");
	is_text(name_of(images, 0, 0), "x:1", "a name");
	is_text(name_of(images, 0, 1), NULL, "is listed once");
	is_text(name_of(images, 1, 0), "x:2", "and for one image");
	is_text(name_of(images, 1, 1), NULL, "only");
	is_int(json_count(layers), 3, "each layer once");
	is_text(text_of(layers, 0, "parent"), NULL, "the lowest first");
	is_text(text_of(layers, 2, "parent"), "low", "then those above it");
	json_member_int(json_item(layers, 0), "diff-size", &n);
	is_int(n, 10, "the compressed size while the other is not known");
	json_member_int(json_item(layers, 1), "diff-size", &n);
	is_int(n, 200, "the size");
	json_member_int(json_item(layers, 1), "compression", &n);
	is_int(n, 2, "the compression");
	release(&ed, images, layers);
}

static void test_generations(void)
{
	const struct edition_image list[] = {{.image = &left_image},
					     {.image = &right_image}};
	struct json *images, *layers;
	struct edition one, same, other;

	make(&one, list, 2, &images, &layers);
	release(&one, images, layers);
	make(&same, list, 2, &images, &layers);
	release(&same, images, layers);
	make(&other, list, 1, &images, &layers);
	release(&other, images, layers);
	is_text(same.generation, one.generation, "the same lists, the same generation");
	ok(strcmp(other.generation, one.generation) != 0, "other lists, another one");
}

int main(void)
{
	test_nothing();
	test_images();
	test_generations();
	return test_done();
}
