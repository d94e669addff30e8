/* SPDX-License-Identifier: MIT */
#include "base/home.h"

#include <pwd.h>
#include <unistd.h>

#include "tests/unit/test.h"

int main(void)
{
	const struct passwd *pw = getpwuid(geteuid());
	const char *own = pw ? pw->pw_dir : "/";

	setenv("HOME", "/some/where", 1);
	is_text(home_dir(), "/some/where", "the environment is asked first");
	setenv("HOME", "", 1);
	is_text(home_dir(), own, "an empty $HOME is none");
	unsetenv("HOME");
	is_text(home_dir(), own, "then the user database");
	home_settle();
	is_text(getenv("HOME"), pw ? own : NULL, "which $HOME is set from");
	setenv("HOME", "/tmp", 1);
	home_settle();
	is_text(getenv("HOME"), "/tmp", "a home that can be written to stays");
	return test_done();
}
