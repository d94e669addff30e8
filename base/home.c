/* SPDX-License-Identifier: MIT */
#include "base/home.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

const char *home_dir(void)
{
	const char *dir = getenv("HOME");
	const struct passwd *pw;

	if (dir && dir[0])
		return dir;
	pw = getpwuid(geteuid());
	return pw && pw->pw_dir && pw->pw_dir[0] ? pw->pw_dir : "/";
}

void home_settle(void)
{
	const char *dir = getenv("HOME");
	const struct passwd *pw;

	if (dir && dir[0] && (geteuid() == 0 || access(dir, W_OK | X_OK) == 0))
		return;
	pw = getpwuid(geteuid());
	if (pw && pw->pw_dir)
		(void)setenv("HOME", pw->pw_dir, 1);
}
