/* SPDX-License-Identifier: MIT */
/*
 * INIT is the first message that a session reads, and the reply to it the first that it writes
 * (linux/fuse.h):
 *
 *	struct fuse_in_header; struct fuse_init_in: major, minor, max_readahead, flags, flags2
 *	iov[0]	struct fuse_out_header
 *	iov[1]	struct fuse_init_out: major, minor, max_readahead, flags, two of 16 bits,
 *		max_write, time_gran, two of 16 bits, flags2, ...
 *
 * All have 32 bits unless they say otherwise. Bits from 32 on are in flags2, which counts if
 * flags has FUSE_INIT_EXT.
 */
#include "fs/fuse/init_reply.h"

#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fuse_lowlevel.h>

#include "fs/fuse/served.h"

#define IN_FLAGS_AT   (40 + 12)
#define IN_FLAGS2_AT  (40 + 16)
#define OUT_FLAGS_AT  12
#define OUT_FLAGS2_AT 32

#define PARALLEL  (UINT64_C(1) << 18) /* FUSE_PARALLEL_DIROPS */
#define EXTENDED  (UINT64_C(1) << 30) /* FUSE_INIT_EXT */
#define ALLOW_MAP (UINT64_C(1) << 40) /* FUSE_ALLOW_IDMAP */

/* Both halves of a set of flags, the upper one only if the message is long enough for it. */
static uint64_t get_flags(const char *message, size_t len, size_t at, size_t at2)
{
	uint32_t low = 0, high = 0;

	if (len >= at + sizeof(low))
		memcpy(&low, message + at, sizeof(low));
	if ((low & EXTENDED) && len >= at2 + sizeof(high))
		memcpy(&high, message + at2, sizeof(high));
	return (uint64_t)high << 32 | low;
}

static void add_flags(const struct served *s, const struct iovec *iov, int count)
{
	char *out = count > 1 ? iov[1].iov_base : NULL;
	uint64_t flags, more = s->init_offered & s->init_wanted;
	uint32_t low, high;

	if (!out || iov[1].iov_len < OUT_FLAGS2_AT + sizeof(high))
		return;
	flags = get_flags(out, iov[1].iov_len, OUT_FLAGS_AT, OUT_FLAGS2_AT) | more;
	if (flags >> 32)
		flags |= EXTENDED;
	low = (uint32_t)flags;
	high = (uint32_t)(flags >> 32);
	memcpy(out + OUT_FLAGS_AT, &low, sizeof(low));
	memcpy(out + OUT_FLAGS2_AT, &high, sizeof(high));
}

static ssize_t write_message(int fd, struct iovec *iov, int count, void *arg)
{
	struct served *s = arg;

	if (!__atomic_exchange_n(&s->has_replied, true, __ATOMIC_SEQ_CST))
		add_flags(s, iov, count);
	return writev(fd, iov, count);
}

/* The kernel sends nothing else before the reply to the first message. */
static ssize_t read_message(int fd, void *buf, size_t len, void *arg)
{
	struct served *s = arg;
	ssize_t n = read(fd, buf, len);

	if (n > 0 && !__atomic_exchange_n(&s->has_read, true, __ATOMIC_SEQ_CST))
		s->init_offered = get_flags(buf, (size_t)n, IN_FLAGS_AT, IN_FLAGS2_AT);
	return n;
}

void init_reply_set_up(struct fuse_session *se, struct served *s, bool has_permissions)
{
	static const struct fuse_custom_io io = {
		.writev = write_message,
		.read = read_message,
	};

	s->init_wanted = PARALLEL | (has_permissions ? ALLOW_MAP : 0);
	fuse_session_custom_io(se, &io, fuse_session_fd(se));
}
