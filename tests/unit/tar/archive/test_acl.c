/* SPDX-License-Identifier: MIT */
#include "tar/archive/acl.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

static const struct {
	const char *text;
	const char *value; /* without the version, in hex; NULL: refused */
} rows[] = {
	{"user::rw-,group::r--,other::---", "01000600ffffffff"
					    "04000400ffffffff"
					    "20000000ffffffff"},
	{"o::r-x\ng::-wx\nu::rwx\n", "01000700ffffffff"
				     "04000300ffffffff"
				     "20000500ffffffff"},
	{"u::rwx,u:5:r--,u:3:r--,g::---,g:who:-w-:258,m::rwx,o::--x", "01000700ffffffff"
								      "0200040003000000"
								      "0200040005000000"
								      "04000000ffffffff"
								      "0800020002010000"
								      "10000700ffffffff"
								      "20000100ffffffff"},
	{"", NULL},
	{"user::rw-,group::r--", NULL},
	{"user::rw-,group::r--,other::---,other::---", NULL},
	{"user::rw-,user:1:r--,group::r--,other::---", NULL}, /* no mask */
	{"user::rw-,user:1:r--,user:1:rw-,group::r--,mask::r--,other::---", NULL},
	{"user::rw-,user:lisa:r--,group::r--,mask::r--,other::---", NULL},
	{"user::rw-,user:4294967295:r--,group::r--,mask::r--,other::---", NULL},
	{"user::rw,group::r--,other::---", NULL},
	{"user::wr-,group::r--,other::---", NULL},
	{"user::rw-:1:2,group::r--,other::---", NULL},
	{"mask:1:rw-,user::rw-,group::r--,other::---", NULL},
	{"user,group::r--,other::---", NULL},
	{"everyone@:rw-::allow", NULL},
};

static void test_rows(void)
{
	char hex[3];
	size_t i, k, len;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* just as long as it must be */
		char *buf = malloc(ACL_ROOM + strlen(rows[i].text));
		bool same;

		if (!buf)
			exit(77);
		len = strlen(rows[i].text);
		memcpy(buf + ACL_ROOM, rows[i].text, len);
		same = acl_pack(buf, ACL_ROOM, &len);
		is_int(same, rows[i].value != NULL, "%s", rows[i].text);
		if (same) {
			same = len == 4 + strlen(rows[i].value) / 2 &&
			       memcmp(buf, "\2\0\0\0", 4) == 0;
			for (k = 4; same && k < len; k++) {
				snprintf(hex, sizeof(hex), "%02x", (uint8_t)buf[k]);
				same = memcmp(hex, rows[i].value + 2 * (k - 4), 2) == 0;
			}
			ok(same, "its value");
		}
		free(buf);
	}
}

/* The value never overtakes the text. */
static void test_many(void)
{
	char *buf = malloc(200000), *p = buf + ACL_ROOM;
	size_t i, len;

	if (!buf)
		exit(77);
	p += sprintf(p, "u::rwx,g::rwx,m::rwx,o::rwx");
	for (i = 0; i < 10; i++)
		p += sprintf(p, ",u:%zu:rwx", i);
	for (i = 10; i < 10000; i++)
		p += sprintf(p, ",g:%zu:r--", i);
	len = (size_t)(p - buf) - ACL_ROOM;
	ok(acl_pack(buf, ACL_ROOM, &len), "many entries");
	is_int(len, 4 + 8 * 10004, "all there");
	free(buf);
}

int main(void)
{
	test_rows();
	test_many();
	return test_done();
}
