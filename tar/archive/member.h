/* SPDX-License-Identifier: MIT */
/*
 * One member of an archive: what its header, its pax records and GNU's long names say
 * together. Who wins is decided here, and nowhere else.
 */
#ifndef TAR_ARCHIVE_MEMBER_H
#define TAR_ARCHIVE_MEMBER_H

#include "tar/archive/header.h"

struct err;
struct pax;
struct tar_entry;

struct member {
	const struct header *header;
	const struct pax *pax;
	const char *long_name; /* of an L header; "" when there was none */
	const char *long_link; /* of a K header */
};

/* Room for a header's prefix and name. */
#define MEMBER_PATH_MAX (155 + 1 + 100)

/*
 * Sets the path and, of a hard link and a symlink, the link. They point into what the
 * member is made of, or into @joined.
 */
void member_names(const struct member *m, char joined[MEMBER_PATH_MAX],
		  struct tar_entry *out);

/*
 * Sets the rest, from a path that is set: all but the place of the data and the sparse
 * map. -EBADMSG for a number that its field cannot hold.
 */
int member_stat(const struct member *m, struct tar_entry *out, struct err *e);

#endif
