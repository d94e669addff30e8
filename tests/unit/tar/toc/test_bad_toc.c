/* SPDX-License-Identifier: MIT */
/* Tables of contents that were found to be wrong are known for their blob alone. */
#include "tar/toc/bad_toc.h"

#include "tests/unit/base/store/stores.h"

static void test_notes(void)
{
	struct digest blob = digest_text("blob"), other = digest_text("other"),
		      toc = digest_text("toc");
	struct store *s = open_store("store");

	ok(!bad_toc_is_noted(s, &blob, &toc), "nothing is noted at first");
	bad_toc_note(s, &blob, &toc);
	ok(bad_toc_is_noted(s, &blob, &toc), "a wrong table is noted");
	ok(!bad_toc_is_noted(s, &other, &toc), "not for another blob");
	ok(!bad_toc_is_noted(s, &blob, &other), "nor another table of the blob");
	store_close(s);
	s = open_store("store");
	ok(bad_toc_is_noted(s, &blob, &toc), "the store keeps the note");
	store_close(s);
}

int main(void)
{
	place_make();
	test_notes();
	return test_done();
}
