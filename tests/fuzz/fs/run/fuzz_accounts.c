/* SPDX-License-Identifier: MIT */
/* Lines of passwd, group and subuid: what is found is in range, and a number is found again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/run/accounts.h"
#include "fs/run/ids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The user is the first line, both files are the rest. */
static void find(const char *user, const char *text)
{
	struct account a, again;
	char number[16];
	struct err e;

	if (account_find(user, text, text, &a, &e) < 0)
		return;
	if (a.uid == (uid_t)-1 || a.gid == (gid_t)-1 || a.home[0] != '/' ||
	    a.n_groups > ACCOUNT_GROUPS_MAX)
		abort();
	snprintf(number, sizeof(number), "%u", (unsigned)a.uid);
	if (account_find(number, text, text, &again, &e) < 0)
		abort();
}

static void map(const char *user, const char *text)
{
	struct id_map m = {.rows = {{0, 1000, 1}}, .n = 1};
	uint64_t end = 0;
	size_t i;

	ids_parse(&m, text, user, 1000);
	for (i = 0; i < m.n; i++) {
		if (m.rows[i].inside != end || m.rows[i].count == 0)
			abort();
		end += m.rows[i].count;
		if (end > UINT32_MAX ||
		    (uint64_t)m.rows[i].outside + m.rows[i].count > UINT32_MAX)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	rest = strchr(text, '\n');
	if (rest) {
		*rest++ = '\0';
		find(text, rest);
		map(text, rest);
	}
	free(text);
	return 0;
}
