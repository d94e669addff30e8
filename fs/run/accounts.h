/* SPDX-License-Identifier: MIT */
/* Users and groups of an image: its /etc/passwd and /etc/group. */
#ifndef FS_RUN_ACCOUNTS_H
#define FS_RUN_ACCOUNTS_H

#include <stddef.h>
#include <sys/types.h>

struct err;

/* As many as are used of one user; the kernel takes 65536. */
#define ACCOUNT_GROUPS_MAX 256
#define ACCOUNT_HOME_MAX   1024

struct account {
	uid_t uid;
	gid_t gid;
	gid_t groups[ACCOUNT_GROUPS_MAX]; /* without gid */
	size_t n_groups;
	char home[ACCOUNT_HOME_MAX]; /* "/" if the user has none */
};

/*
 * What @user is: USER[:GROUP], each a name or a number. A number need not be in the files.
 * Without a group it is the user's own, and the user's other groups are added. @passwd and
 * @group are the texts of the files. -ENOENT and a sentence for an unknown name, -EINVAL for
 * what is neither.
 */
int account_find(const char *user, const char *passwd, const char *group,
		 struct account *out, struct err *e);

#endif
