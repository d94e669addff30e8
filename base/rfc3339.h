/* SPDX-License-Identifier: MIT */
/*
 * Times as RFC 3339 writes them: "2024-01-02T03:04:05.678Z", "...+01:00".
 */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Seconds since the epoch, rounded down, and nanoseconds above them; what is finer is cut
 * off. False, and nothing written, for what is no such time.
 */
bool rfc3339_parse(const char *text, size_t len, int64_t *sec, uint32_t *ns);

#endif
