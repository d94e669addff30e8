/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"

void secret_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void secret_free_list(char **list)
{
	size_t i;

	for (i = 0; list && list[i]; i++)
		secret_free(list[i]);
	free(list);
}

void secret_release(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_release(b);
}

/*
 * PR_SET_DUMPABLE is not used: it makes /proc/self belong to root. Files of the store get
 * their names through /proc/self/fd, so a mount by an ordinary user could not keep any.
 */
void secret_forbid_core(void)
{
	static const struct rlimit none = {0, 0};
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	(void)setrlimit(RLIMIT_CORE, &none);
	if (fd < 0)
		return;
	(void)!write(fd, "0", 1);
	close(fd);
}
