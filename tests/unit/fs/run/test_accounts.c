/* SPDX-License-Identifier: MIT */
#include "fs/run/accounts.h"

#include <errno.h>

#include "base/err.h"
#include "tests/unit/test.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "web:x:33:44:a:/srv/web:/bin/sh\n"
			     "7:x:70:71::/seven:/bin/sh\n"
			     "short:x:5\n"
			     "bad:x:y:0::/:\n"
			     "far:x:6:6::relative:/bin/sh:more:fields";
static const char group[] =
	"root:x:0:\nweb:x:44:web\nmail:x:8:a,web,b\nadm:x:4:webx,xweb\n"
	"9:x:90:\nlist:x:9:web";

static const struct {
	const char *user;
	unsigned uid, gid;
	const char *home;
	size_t n_groups;
} good[] = {
	{"root", 0, 0, "/root", 0},
	{"0", 0, 0, "/root", 0},
	{"web", 33, 44, "/srv/web", 2},
	{"33", 33, 44, "/srv/web", 2},
	{"web:root", 33, 0, "/srv/web", 0},
	{"web:8", 33, 8, "/srv/web", 0},
	{"7", 70, 71, "/seven", 0},
	{"70", 70, 71, "/seven", 0},
	{"1234", 1234, 0, "/", 0},
	{"1234:mail", 1234, 8, "/", 0},
	{"1234:9", 1234, 90, "/", 0},
	{"short", 5, 0, "/", 0},
	{"far", 6, 6, "/", 0},
	{"4294967294:4294967294", 4294967294, 4294967294, "/", 0},
};

static void finds(void)
{
	struct account a;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		is_int(account_find(good[i].user, passwd, group, &a, &e), 0, "%s",
		       good[i].user);
		is_int(a.uid, good[i].uid, "uid");
		is_int(a.gid, good[i].gid, "gid");
		is_text(a.home, good[i].home, "home");
		is_int(a.n_groups, good[i].n_groups, "groups");
	}
	account_find("web", passwd, group, &a, &e);
	ok(a.groups[0] == 8 && a.groups[1] == 9, "the groups that list the name");
}

static void refuses(void)
{
	static const struct {
		const char *user;
		int code;
	} rows[] = {
		{"none", -ENOENT},	 {"bad", -ENOENT},
		{"web:none", -ENOENT},	 {"", -EINVAL},
		{":8", -EINVAL},	 {"-1", -ENOENT},
		{"4294967295", -ENOENT}, {"web:", -ENOENT},
		{"roo", -ENOENT},	 {"1234:4294967295", -ENOENT},
	};
	struct account a = {.uid = 99};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e.text[0] = '\0';
		is_int(account_find(rows[i].user, passwd, group, &a, &e), rows[i].code,
		       "%s", rows[i].user);
		ok(e.text[0] != '\0', "with a sentence");
	}
	is_int(a.uid, 99, "nothing is written");
}

int main(void)
{
	finds();
	refuses();
	return test_done();
}
