/* SPDX-License-Identifier: MIT */
#include "tar/codec/zstd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"

#define MAGIC_LEN 4

/* Of zstd_pack(): what is packed is a MiB or two, once, and read by many. */
#define PACK_LEVEL 19

/* zstd_unpack() makes room for so much at a time. */
#define UNPACK_STEP (256u << 10)

struct zstd {
	ZSTD_DCtx *ctx;
	uint8_t magic[MAGIC_LEN];
	size_t n_magic;		 /* bytes of it received; 0 between frames */
	bool is_inside;		 /* the magic is complete */
	bool has_pending_output; /* the library may have output that did not fit */
};

int zstd_new(struct zstd **out)
{
	struct zstd *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	z->ctx = ZSTD_createDCtx();
	if (!z->ctx) {
		free(z);
		return -ENOMEM;
	}
	(void)ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, 27);
	*out = z;
	return 0;
}

void zstd_free(struct zstd *z)
{
	if (!z)
		return;
	ZSTD_freeDCtx(z->ctx);
	free(z);
}

bool zstd_is_between(const struct zstd *z)
{
	return z->n_magic == 0;
}

static int zstd_error(size_t rc, struct err *e)
{
	switch (ZSTD_getErrorCode(rc)) {
	case ZSTD_error_memory_allocation:
		return err_set(e, -ENOMEM, "out of memory");
	case ZSTD_error_frameParameter_windowTooLarge:
		return err_set(e, -E2BIG,
			       "zstd: a frame needs a window of more than %u bytes",
			       ZSTD_WINDOW_MAX);
	case ZSTD_error_dictionary_wrong:
		return err_set(e, -ENOTSUP, "zstd: a frame needs a dictionary");
	default:
		return err_set(e, -EBADMSG, "zstd: corrupt data (%s)",
			       ZSTD_getErrorName(rc));
	}
}

static int zstd_decode(struct zstd *z, struct flow *flow, struct err *e)
{
	ZSTD_inBuffer in = {flow->in, flow->in_len, 0};
	ZSTD_outBuffer out = {flow->out, flow->out_len, 0};
	size_t rc = ZSTD_decompressStream(z->ctx, &out, &in);

	if (ZSTD_isError(rc))
		return zstd_error(rc, e);
	flow->in += in.pos;
	flow->in_len -= in.pos;
	flow->out += out.pos;
	flow->out_len -= out.pos;
	z->has_pending_output = rc != 0 && flow->out_len == 0;
	if (rc != 0)
		return ZSTD_MORE;
	z->n_magic = 0;
	z->is_inside = false;
	return ZSTD_FRAME;
}

/*
 * The library can also decode the formats from before the standard. Those frames are
 * refused.
 */
static int zstd_begin(struct zstd *z, struct flow *flow, struct err *e)
{
	struct flow magic = {z->magic, MAGIC_LEN, flow->out, flow->out_len};
	uint32_t v;

	while (z->n_magic < MAGIC_LEN && flow->in_len > 0) {
		z->magic[z->n_magic++] = *flow->in++;
		flow->in_len--;
	}
	if (z->n_magic < MAGIC_LEN)
		return ZSTD_MORE;
	v = get_le32(z->magic);
	if (v != ZSTD_MAGICNUMBER &&
	    (v & ZSTD_MAGIC_SKIPPABLE_MASK) != ZSTD_MAGIC_SKIPPABLE_START)
		return err_set(e, -EBADMSG, "zstd: expected a frame or the end");
	z->is_inside = true;
	return zstd_decode(z, &magic, e);
}

int zstd_run(struct zstd *z, struct flow *flow, struct err *e)
{
	int rc = ZSTD_MORE;

	while (rc == ZSTD_MORE && (flow->in_len > 0 || z->has_pending_output)) {
		if (z->is_inside && flow->out_len == 0)
			break;
		rc = z->is_inside ? zstd_decode(z, flow, e) : zstd_begin(z, flow, e);
	}
	return rc;
}

int zstd_pack(const void *data, size_t len, struct buf *out)
{
	size_t most = ZSTD_compressBound(len), n;
	void *room;
	int rc = buf_reserve(out, most, &room);

	if (rc < 0)
		return rc;
	n = ZSTD_compress(room, most, data, len, PACK_LEVEL);
	if (ZSTD_isError(n))
		return -ENOMEM;
	buf_advance(out, n);
	return 0;
}

static int unpack_step(struct zstd *z, struct flow *flow, struct buf *out, struct err *e)
{
	size_t room = out->max - out->len < UNPACK_STEP ? out->max - out->len
							: UNPACK_STEP;
	void *to;
	int rc = room > 0 ? buf_reserve(out, room, &to) : -E2BIG;

	if (rc < 0)
		return err_set(e, rc, "it has more than %zu bytes", out->max);
	flow->out = to;
	flow->out_len = room;
	rc = zstd_run(z, flow, e);
	buf_advance(out, room - flow->out_len);
	return rc;
}

int zstd_unpack(const void *data, size_t len, struct buf *out, struct err *e)
{
	struct flow flow = {.in = data, .in_len = len};
	struct zstd *z = NULL;
	int rc = zstd_new(&z);

	while (rc >= 0 && (flow.in_len > 0 || (z && z->has_pending_output)))
		rc = unpack_step(z, &flow, out, e);
	if (rc >= 0)
		rc = zstd_is_between(z) ? 0 : err_set(e, -EBADMSG, "it is cut");
	zstd_free(z);
	return rc;
}
