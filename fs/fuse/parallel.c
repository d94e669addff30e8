/* SPDX-License-Identifier: MIT */
/*
 * The reply to INIT is the first message that a session writes (linux/fuse.h):
 *
 *	iov[0]	struct fuse_out_header
 *	iov[1]	struct fuse_init_out: major, minor, max_readahead, flags, ...; 32 bits each
 */
#include "fs/fuse/parallel.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fuse_lowlevel.h>

#include "fs/fuse/served.h"

#if FUSE_VERSION < FUSE_MAKE_VERSION(3, 17)

#define FLAGS_AT 12
#define PARALLEL (1u << 18) /* FUSE_PARALLEL_DIROPS */

static void add_flag(const struct iovec *iov, int count)
{
	char *init_out = count > 1 ? iov[1].iov_base : NULL;
	uint32_t flags;

	if (!init_out || iov[1].iov_len < FLAGS_AT + sizeof(flags))
		return;
	memcpy(&flags, init_out + FLAGS_AT, sizeof(flags));
	flags |= PARALLEL;
	memcpy(init_out + FLAGS_AT, &flags, sizeof(flags));
}

static ssize_t write_message(int fd, struct iovec *iov, int count, void *arg)
{
	struct served *s = arg;

	if (!__atomic_exchange_n(&s->has_replied, true, __ATOMIC_SEQ_CST))
		add_flag(iov, count);
	return writev(fd, iov, count);
}

static ssize_t read_message(int fd, void *buf, size_t len, void *arg)
{
	(void)arg;
	return read(fd, buf, len);
}

void parallel_set_up(struct fuse_session *se)
{
	static const struct fuse_custom_io io = {
		.writev = write_message,
		.read = read_message,
	};

	fuse_session_custom_io(se, &io, fuse_session_fd(se));
}

#else

void parallel_set_up(struct fuse_session *se)
{
	(void)se;
}

#endif
