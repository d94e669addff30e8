/* SPDX-License-Identifier: MIT */
/*
 * One member of an archive: combines its header, its pax records and GNU's long names,
 * and decides which of them wins.
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
	const char *long_name; /* from an L header; "" if there was none */
	const char *long_link; /* from a K header */
};

/* Room for the prefix and the name of a header. */
#define MEMBER_PATH_MAX (155 + 1 + 100)

/*
 * Sets the path and, for a hard link or symlink, the link. They point into the parts of
 * the member or into @joined.
 */
void member_names(const struct member *m, char joined[MEMBER_PATH_MAX],
		  struct tar_entry *out);

/*
 * Sets the other fields, except the place of the data and the sparse map. The path must
 * be set. -EBADMSG for a number that does not fit its field.
 */
int member_stat(const struct member *m, struct tar_entry *out, struct err *e);

#endif
