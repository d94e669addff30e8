/* SPDX-License-Identifier: MIT */
/*
 *	challenge = scheme [ 1*SP ( token68 / #( name "=" ( token / quoted ) ) ) ]
 *
 * Commas separate challenges as well as their parameters, and quoted values contain
 * commas, too (scope="repository:a:pull,push"). A word that is followed by "=" is a
 * parameter; one that is not begins a new challenge. A token68 ("Negotiate YII=") ends
 * in "=" without a value.
 */
#include "registry/auth/challenge.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_token_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr("()<>@,;:\\\"[]?={}", c);
}

static size_t token_length(const char *at)
{
	size_t len = 0;

	while (is_token_char(at[len]))
		len++;
	return len;
}

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t");
}

/*
 * Copies the value at @at to @out (@max bytes with the NUL), or skips it if @out is NULL.
 * Returns its end; *good becomes false if it does not fit.
 */
static const char *parse_value(const char *at, char *out, size_t max, bool *good)
{
	bool quoted = *at == '"';
	size_t n = 0;

	for (at += quoted; *at; at++) {
		char c = *at;

		if (quoted && c == '"')
			break;
		if (!quoted && (c == ',' || c == ' ' || c == '\t'))
			break;
		if (quoted && c == '\\' && at[1])
			c = *++at;
		if (!out)
			continue;
		if (n + 1 >= max) {
			*good = false;
			continue;
		}
		out[n++] = c;
	}
	if (out)
		out[n] = '\0';
	return quoted && *at ? at + 1 : at;
}

static const char *parse_parameter(const char *name, size_t len, const char *at,
				   struct challenge *c, bool *good)
{
	const struct {
		const char *name;
		char *out;
		size_t max;
	} known[] = {
		{"realm", c->realm, sizeof(c->realm)},
		{"service", c->service, sizeof(c->service)},
		{"scope", c->scope, sizeof(c->scope)},
		{"error", c->error, sizeof(c->error)},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) == len &&
		    strncasecmp(known[i].name, name, len) == 0)
			return parse_value(at, known[i].out, known[i].max, good);
	}
	return parse_value(at, NULL, 0, good);
}

static enum challenge_scheme scheme_of(const char *name, size_t len)
{
	if (len == 6 && strncasecmp(name, "bearer", len) == 0)
		return CHALLENGE_BEARER;
	if (len == 5 && strncasecmp(name, "basic", len) == 0)
		return CHALLENGE_BASIC;
	return CHALLENGE_OTHER;
}

/* Parses a challenge at @at. Returns where the next one begins, or NULL at the end. */
static const char *parse_challenge(const char *at, struct challenge *c, bool *good)
{
	size_t len;

	*c = (struct challenge){0};
	*good = true;
	at += strspn(at, " \t,");
	len = token_length(at);
	if (len == 0) /* without a scheme, the rest cannot be parsed */
		return NULL;
	c->scheme = scheme_of(at, len);
	at = skip_space(at + len);
	for (;;) {
		const char *name = at + strspn(at, " \t,"), *behind;

		len = token_length(name);
		behind = skip_space(name + len);
		if (len == 0 && *behind == '\0')
			return behind;
		if (*behind != '=') {
			/* A single word: a token68 after a scheme, else a scheme. */
			if (name != at || len == 0)
				return len ? name : NULL;
			at = behind;
			if (*at && *at != ',')
				return NULL;
			continue;
		}
		at = skip_space(behind + 1);
		if (*at == '=' || *at == ',' || *at == '\0')
			at += strspn(at, "="); /* a token68's padding */
		else
			at = parse_parameter(name, len, at, c, good);
		at = skip_space(at);
	}
}

int challenge_choose(const char *text, struct challenge *out)
{
	bool found = false, is_long = false, good;
	struct challenge c;

	while (text && *text) {
		text = parse_challenge(text, &c, &good);
		if (!good) {
			is_long |= c.scheme != CHALLENGE_OTHER;
			continue;
		}
		if (c.scheme == CHALLENGE_BEARER && c.realm[0]) {
			*out = c;
			return 0;
		}
		if (c.scheme == CHALLENGE_BASIC && !found) {
			*out = c;
			found = true;
		}
	}
	return found ? 0 : is_long ? -E2BIG : -ENOENT;
}
