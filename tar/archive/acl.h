/* SPDX-License-Identifier: MIT */
/*
 * POSIX ACLs as archives have them: the text of acl_to_text(3), also with star's numbers, and
 * with "," or a line break between entries:
 *
 *	user::rw-,user:lisa:r--:1000,group::r--,mask::r--,other::---
 */
#ifndef TAR_ARCHIVE_ACL_H
#define TAR_ARCHIVE_ACL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Replaces the text at @buf + @room, *@len bytes, by the value of the xattr
 * system.posix_acl_access or _default at @buf, and sets *len to its length. @room must be at
 * least ACL_ROOM. Returns false for a text that is not an ACL of Linux, and for a user or group
 * that is named without a number: the names are those of another machine.
 */
#define ACL_ROOM 16
bool acl_pack(char *buf, size_t room, size_t *len);

#endif
