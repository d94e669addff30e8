/* SPDX-License-Identifier: MIT */
#include <zlib.h>

#include "tar/codec/checksum.h"
#include "tests/unit/test.h"

int main(void)
{
	uint8_t data[5000];
	size_t i, len, wrong = 0;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i >> 3);
	is_int(checksum(0, "123456789", 9), 0xcbf43926, "the one that everyone has");
	is_int(checksum(0, "", 0), 0, "of nothing");
	for (len = 0; len < sizeof(data); len++) {
		uint32_t part = checksum(0, data, len / 3);

		if (checksum(part, data + len / 3, len - len / 3) !=
		    crc32(0, data, (uInt)len))
			wrong++;
		if (checksum_join(part, checksum(0, data + len / 3, len - len / 3),
				  len - len / 3) != checksum(0, data, len) ||
		    checksum_rest(part, checksum(0, data, len), len - len / 3) !=
			    checksum(0, data + len / 3, len - len / 3))
			wrong++;
	}
	is_int(wrong, 0, "as zlib's, also in two parts, joined and taken apart");
	return test_done();
}
