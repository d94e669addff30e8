/* SPDX-License-Identifier: MIT */
/* Times of RFC 3339: "2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05+01:00". */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Seconds since the epoch, rounded down, and the nanoseconds above them, whose pointer may
 * be NULL. Digits past nanoseconds are ignored. False, with nothing written, if @text is
 * not such a time.
 */
bool rfc3339_parse(const char *text, size_t len, int64_t *sec, uint32_t *ns);

#endif
