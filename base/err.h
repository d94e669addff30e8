/* SPDX-License-Identifier: MIT */
/*
 * One sentence about a failure, for a person; the errno beside it is for the
 * program.
 *
 * A function that talks to the outside takes an optional `struct err *` last.
 * The innermost failure writes the sentence; callers may put words before it.
 * Fixed size, no allocation: an error path cannot fail.
 *
 * The errno vocabulary: EBADMSG what cannot be parsed or has the wrong digest,
 * EIO transport, EACCES refused, ENOENT absent, E2BIG over a ceiling, ENOTSUP a
 * form that is not read, ENOMEM.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_TEXT_MAX 512

struct err {
	char text[ERR_TEXT_MAX];
};

/*
 * Writes the sentence and returns @code, so that a failure is one line:
 *
 *	return err_set(e, -EBADMSG, "%s: not a digest", text);
 *
 * @e may be NULL. What does not fit is cut. No full stop at the end, no newline.
 */
int err_set(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "@fmt: " before the sentence that is there; returns @code. @e may be NULL. */
int err_prefix(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
