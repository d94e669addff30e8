/* SPDX-License-Identifier: MIT */
#include "tar/toc/estargz.h"

#include "tests/unit/test.h"

#define HEAD(xlen) "\x1f\x8b\x08\x04\0\0\0\0\0\xff" xlen
#define END	   "\1\0\0\xff\xff\0\0\0\0\0\0\0\0"

int main(void)
{
	static const struct {
		const char *what;
		enum estargz_footer is;
		uint64_t off;
		size_t len;
		char bytes[64];
	} rows[] = {
		{"the usual one", ESTARGZ_FOOTER, 0x1234abcd, 51,
		 HEAD("\x1a\0") "SG\x16\0"
				"000000001234abcdSTARGZ" END},
		{"upper case", ESTARGZ_FOOTER, 0xABCDEF, 51,
		 HEAD("\x1a\0") "SG\x16\0"
				"0000000000ABCDEFSTARGZ" END},
		{"the older one", ESTARGZ_FOOTER, 1, 47,
		 HEAD("\x16\0") "0000000000000001STARGZ" END},
		{"the one that says: elsewhere", ESTARGZ_EXTERNAL, 0, 46,
		 HEAD("\x15\0") "SG\x11\0"
				"STARGZEXTERNALTOC" END},
		{"a number that is none", ESTARGZ_NO_FOOTER, 0, 51,
		 HEAD("\x1a\0") "SG\x16\0"
				"00000000123g5678STARGZ" END},
		{"another word", ESTARGZ_NO_FOOTER, 0, 51,
		 HEAD("\x1a\0") "SG\x16\0"
				"0000000012345678STARGA" END},
		{"another length of the field", ESTARGZ_NO_FOOTER, 0, 51,
		 HEAD("\x1a\0") "SG\x15\0"
				"0000000012345678STARGZ" END},
		{"another field", ESTARGZ_NO_FOOTER, 0, 51,
		 HEAD("\x1a\0") "SH\x16\0"
				"0000000012345678STARGZ" END},
		{"another length of the extra", ESTARGZ_NO_FOOTER, 0, 51,
		 HEAD("\x1b\0") "SG\x16\0"
				"0000000012345678STARGZ" END},
		{"no gzip", ESTARGZ_NO_FOOTER, 0, 51,
		 "\x1f\x8c\x08\x04\0\0\0\0\0\xff\x1a\0"
		 "SG\x16\0"
		 "0000000012345678STARGZ" END},
		{"a member that is not empty", ESTARGZ_NO_FOOTER, 0, 51,
		 HEAD("\x1a\0") "SG\x16\0"
				"0000000012345678STARGZ"
				"\1\1\0\xfe\xff\0\0\0\0\0\0\0\0"},
	};
	char tail[200];
	uint64_t off;
	size_t i, len;

	memset(tail, 'x', sizeof(tail));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(tail + sizeof(tail) - rows[i].len, rows[i].bytes, rows[i].len);
		off = 0;
		len = 0;
		is_int(estargz_find_footer(tail, sizeof(tail), &off, &len), rows[i].is,
		       "%s", rows[i].what);
		is_int(off, rows[i].off, "and where");
		if (rows[i].is != ESTARGZ_NO_FOOTER)
			is_int(len, rows[i].len, "and how long it is");
		is_int(estargz_find_footer(rows[i].bytes, rows[i].len, &off, &len),
		       rows[i].is, "alone it is the same");
		is_int(estargz_find_footer(rows[i].bytes + 1, rows[i].len - 1, &off,
					   &len),
		       ESTARGZ_NO_FOOTER, "cut it is none");
	}
	is_int(estargz_find_footer(tail, 0, &off, &len), ESTARGZ_NO_FOOTER,
	       "nothing is none");
	return test_done();
}
