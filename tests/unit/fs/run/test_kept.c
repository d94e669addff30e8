/* SPDX-License-Identifier: MIT */
#include "fs/run/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

static void write_note(const char *text)
{
	FILE *f = fopen(place_path("image"), "w");

	if (ok(f != NULL, "a note")) {
		fputs(text, f);
		fclose(f);
	}
}

int main(void)
{
	struct digest one, two;
	char text[DIGEST_TEXT_MAX];
	struct err e = {""};
	int dir;

	place_make();
	dir = open(place_path(""), O_RDONLY | O_DIRECTORY);
	digest_of(DIGEST_SHA256, "1", 1, &one);
	digest_of(DIGEST_SHA256, "2", 1, &two);
	is_int(kept_claim(dir, &one, &e), 0,
	       "a new directory belongs to its first image");
	is_int(kept_claim(dir, &one, &e), 0, "and may be used with it again");
	is_int(kept_claim(dir, &two, &e), -EINVAL, "but with no other: %s", e.text);
	ok(strstr(e.text, digest_format(&one, text)) != NULL,
	   "the sentence names the first");
	write_note("");
	is_int(kept_claim(dir, &one, &e), -EINVAL, "an empty note: %s", e.text);
	write_note("sha256:12\n");
	is_int(kept_claim(dir, &one, &e), -EINVAL, "a short one: %s", e.text);
	write_note(digest_format(&two, text));
	is_int(kept_claim(dir, &two, &e), 0, "a note without a newline");
	close(dir);
	return test_done();
}
