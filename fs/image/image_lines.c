/* SPDX-License-Identifier: MIT */
#include "fs/image/image_lines.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "registry/source_name.h"

#define DOCKER "docker://"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The word of a line, without the blanks around it and a comment behind it. */
static const char *find_word(const char *line, size_t len, size_t *word_len)
{
	const char *end = line + len, *p;

	while (line < end && is_blank(*line))
		line++;
	for (p = line; p < end; p++) {
		if (*p == '#' && (p == line || is_blank(p[-1])))
			break;
	}
	while (p > line && is_blank(p[-1]))
		p--;
	*word_len = (size_t)(p - line);
	return line;
}

static bool has_control(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	}
	return false;
}

static bool is_below(const struct reference *r, const char *prefix)
{
	char name[REFERENCE_TEXT_MAX];
	size_t len = strlen(prefix);

	reference_name(r, name);
	return len == 0 || (strncmp(name, prefix, len) == 0 &&
			    (name[len] == '\0' || name[len] == '/'));
}

int image_lines_parse(const char *word, const char *prefix, struct reference *out,
		      struct err *e)
{
	struct reference r;
	int rc;

	if (source_name_is_namespace(word))
		return err_set(e, -EINVAL, "%s is a registry, not an image", word);
	if (source_name_kind(word, NULL)->is_local)
		return err_set(e, -EINVAL, "%s: only images in registries can be listed",
			       word);
	rc = reference_parse(
		strncmp(word, DOCKER, strlen(DOCKER)) == 0 ? word + strlen(DOCKER) : word,
		&r, e);
	if (rc < 0)
		return rc;
	if (!is_below(&r, prefix))
		return err_set(e, -EINVAL, "%s/%s is not below %s/", r.host, r.path,
			       prefix);
	*out = r;
	return 0;
}

/* @text: a word that is not empty. */
static int parse_word(const struct image_lines *it, const char *text, size_t len,
		      struct reference *out, struct err *e)
{
	char word[sizeof(DOCKER) + REFERENCE_TEXT_MAX];

	if (len >= sizeof(word))
		return err_set(e, -EINVAL, "%.40s...: too long for a reference", text);
	if (has_control(text, len))
		return err_set(e, -EINVAL, "a control character");
	memcpy(word, text, len);
	word[len] = '\0';
	return image_lines_parse(word, it->prefix, out, e);
}

int image_lines_next(struct image_lines *it, struct reference *out, struct err *e)
{
	const char *line, *end, *word;
	size_t len;
	int rc;

	while (it->pos < it->len) {
		line = it->text + it->pos;
		end = memchr(line, '\n', it->len - it->pos);
		len = end ? (size_t)(end - line) : it->len - it->pos;
		it->pos += len + (end != NULL);
		it->line++;
		word = find_word(line, len, &len);
		if (len == 0)
			continue;
		if (it->n == IMAGE_LINES_MAX) {
			it->pos = it->len;
			return err_set(e, -E2BIG,
				       "more than %d images; this one and those after it "
				       "are not listed",
				       IMAGE_LINES_MAX);
		}
		rc = parse_word(it, word, len, out, e);
		it->n += rc == 0;
		return rc < 0 ? rc : 1;
	}
	return 0;
}

const char *image_lines_name(const struct reference *r, char *out)
{
	struct reference plain = *r;

	if (r->has_digest)
		plain.tag[0] = '\0';
	return reference_format(&plain, out);
}
