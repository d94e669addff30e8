/* SPDX-License-Identifier: MIT */
/*
 * One sentence about a failure, for people; the errno that is returned with it is for the
 * program.
 *
 * A function that deals with the outside takes an optional `struct err *` as its last
 * parameter. The innermost failure writes the sentence; callers may prefix it. The size is
 * fixed and nothing is allocated, so an error path cannot fail.
 *
 * Errnos: EBADMSG cannot be parsed, or wrong digest; EIO transport; EACCES refused; ENOENT
 * absent; E2BIG above a ceiling; ENOTSUP a form that is not supported; ENOMEM.
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
 * @e may be NULL. A long sentence is truncated, and control characters become "?". No full
 * stop or newline at its end.
 */
int err_set(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Inserts "PREFIX: " before the sentence; returns @code. @e may be NULL. */
int err_prefix(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
