/* SPDX-License-Identifier: MIT */
#include "registry/image/documents.h"

#include <errno.h>

#include "base/err.h"
#include "base/store/documents.h"

static int check_document(const struct buf *bytes, const struct descriptor *d,
			  struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	struct digest real;
	int rc;

	if (bytes->len != d->size && d->size != DOCUMENT_SIZE_UNKNOWN)
		return err_set(e, -EBADMSG, "%s: %zu bytes, but the descriptor says %llu",
			       digest_format(&d->digest, text), bytes->len,
			       (unsigned long long)d->size);
	rc = digest_of(d->digest.alg, bytes->data, bytes->len, &real);
	if (rc < 0)
		return err_set(e, -ENOMEM, "out of memory");
	if (!digest_equal(&real, &d->digest))
		return err_set(e, -EBADMSG, "%s: the received bytes have another digest",
			       digest_format(&d->digest, text));
	return 0;
}

int document_get(struct backend *b, const struct descriptor *d, struct buf *out,
		 struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	int rc;

	if (d->size > DOCUMENT_MAX && d->size != DOCUMENT_SIZE_UNKNOWN)
		return err_set(e, -E2BIG,
			       "%s: a document of %llu bytes, more than the limit of %u",
			       digest_format(&d->digest, text),
			       (unsigned long long)d->size, DOCUMENT_MAX);
	buf_init(out, DOCUMENT_MAX);
	if (d->data && buf_append(out, d->data, (size_t)d->size) == 0 &&
	    check_document(out, d, NULL) == 0)
		return 0;
	buf_clear(out);
	if (b->store &&
	    store_get_document(b->store, &d->digest, DOCUMENT_MAX, out) == 0 &&
	    check_document(out, d, NULL) == 0)
		return 0;
	buf_clear(out);
	rc = b->ops->document(b, d, out, e);
	if (rc == 0)
		rc = check_document(out, d, e);
	if (rc < 0)
		buf_release(out);
	else if (b->store && !b->is_local)
		(void)store_put_document(b->store, &d->digest, out->data, out->len);
	return rc;
}
