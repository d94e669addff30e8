/* SPDX-License-Identifier: MIT */
/*
 * Writes a pax tar. The same entries give the same bytes in every process:
 * no time, process id or user name gets in. One thread; pax_new() sets its locale until
 * pax_free().
 *
 *	pax_new()
 *	  pax_begin()	an entry: name and attributes
 *	  pax_set_hardlink(), pax_set_symlink(), pax_add_xattr(), pax_add_piece()
 *	  pax_put()	its header
 *	  pax_write(), pax_skip()	the content, as many bytes as the header says
 *	  ...
 *	pax_end()
 *	pax_free()
 *
 * Errors are a negative errno. After one of pax_put(), pax_write(), pax_skip() and pax_end()
 * the archive cannot be continued.
 */
#ifndef FS_CTL_PAX_H
#define FS_CTL_PAX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct pax;

/* @fd is borrowed. */
int pax_new(int fd, struct pax **out);
/* NULL is fine. Writes nothing. */
void pax_free(struct pax *p);

/*
 * Begins an entry; nothing is written yet, and an entry that is begun may be given up by
 * beginning another. @name: relative; that of a directory gets a slash. Mode, owner, size,
 * mtime and device are taken from @st. Names and targets are borrowed until pax_put().
 * 0; -EILSEQ if the archive cannot hold the name as it is: two surrogates in a row, encoded
 * in UTF-8 one by one. The time is kept, but of an entry with xattrs, holes or a long name
 * not the fraction of the last second before 1970.
 */
int pax_begin(struct pax *p, const char *name, const struct stat *st);
/* The name of an earlier entry. There is no content then. -EILSEQ as above. */
int pax_set_hardlink(struct pax *p, const char *name);
int pax_set_symlink(struct pax *p, const char *target);
/*
 * -EILSEQ, and it is left out, if the name has characters that tars escape, each in its own
 * way: all but the printable ones of ASCII, and "%" and "=".
 */
int pax_add_xattr(struct pax *p, const char *name, const void *value, size_t len);
/*
 * Data of a sparse file, in the order of offsets. All between pieces are holes. A file
 * without data has one piece of length 0 at its end. Without pieces all is data.
 */
void pax_add_piece(struct pax *p, uint64_t off, uint64_t len);

int pax_put(struct pax *p);
int pax_write(struct pax *p, const void *data, size_t len);
/* As pax_write() of @len zeros, which in a hole are not written. */
int pax_skip(struct pax *p, uint64_t len);

/* Ends the archive. */
int pax_end(struct pax *p);

#endif
