/* SPDX-License-Identifier: MIT */
/*
 * Lines of a Dockerfile made of foreign text. All calls append to @out and return 0, -ENOMEM
 * or -E2BIG.
 *
 * Nothing in a text can end its line: line ends and all other control characters but the tab
 * are written as in JSON, \n or \u001b, also in comments and here documents. So no text
 * passes for an instruction that is in no step, nor for a command to a terminal.
 */
#ifndef FS_TEXT_DOCKERFILE_LINE_H
#define FS_TEXT_DOCKERFILE_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Exactly one line, whatever is in the text. */
int dockerfile_line_append(struct buf *out, const char *text, size_t len);
/* The same of a formatted text. */
int dockerfile_line_printf(struct buf *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same, where a backslash at the end must not join the next line: @line may grow. */
int dockerfile_line_instruction(struct buf *out, struct buf *line);

/* Whether RUN with this text needs a here document to mean exactly the text. */
bool dockerfile_line_is_script(const char *text);
/* RUN with the text as a here document. */
int dockerfile_line_script(struct buf *out, const char *text);

/* "KEY=value", the value in quotes if it needs them; not the end of the line. */
int dockerfile_line_pair(struct buf *out, const char *pair);

#endif
