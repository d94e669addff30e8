/* SPDX-License-Identifier: MIT */
#include "tar/stored_index.h"

#include <errno.h>

#include "base/err.h"
#include "tar/index/index.h"
#include "tar/toc/toc_ref.h"

/* An index of this many entries has about 6 MiB: half a millisecond. */
#define VERIFY_ENTRIES_MAX 50000
#define VERIFY_MAX	   (16u << 20)

int stored_index_open(int fd, const struct digest *digest, uint64_t blob_size,
		      const struct toc_ref *toc, struct index **out, struct err *e)
{
	struct index *ix = NULL;
	int rc = index_open(fd, digest, &ix, e);

	if (rc < 0)
		return rc;
	if (index_info(ix)->blob_size != blob_size)
		rc = err_set(e, -EBADMSG, "the index is for a blob of another size");
	else if (!toc_ref_vouches(toc, index_info(ix)))
		rc = err_set(
			e, -EBADMSG,
			"the index was made from a table that the manifest does not name");
	/*
	 * Damage found now is repaired; damage found later is EIO until the layer is opened
	 * again, perhaps by the next mount.
	 * So the whole index is verified, unless it is one of the few large ones that
	 * would take milliseconds.
	 */
	else if (index_info(ix)->n_entries <= VERIFY_ENTRIES_MAX &&
		 index_info(ix)->file_size <= VERIFY_MAX && index_verify(ix) < 0)
		rc = err_set(e, -EBADMSG, "the index is damaged");
	if (rc < 0)
		index_close(ix);
	else
		*out = ix;
	return rc;
}
