/* SPDX-License-Identifier: MIT */
#include "registry/trust/policy.h"

#include <errno.h>

#include "base/err.h"
#include "registry/trust/scope.h"
#include "tests/unit/test.h"

#define ACCEPT	     "[{\"type\":\"insecureAcceptAnything\"}]"
#define REJECT	     "[{\"type\":\"reject\"}]"
#define WITH(list)   "{\"default\":[" list "]}"
#define SIGNED(more) WITH("{\"type\":\"sigstoreSigned\"" more "}")

static int parse(const char *text, struct policy *out, struct err *e)
{
	return policy_parse(text, strlen(text), out, e);
}

static void test_invalid(void)
{
	static const char *const rows[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"default\":null}",
		"{\"default\":{}}",
		"{\"default\":[]}",
		"{\"default\":[1]}",
		"{\"default\":" ACCEPT "}x",
		"{\"Default\":" ACCEPT "}",
		"{\"default\":" ACCEPT ",\"x\":1}",
		"{\"default\":" ACCEPT ",\"default\":" ACCEPT "}",
		"{\"default\":" ACCEPT ",\"transports\":null}",
		"{\"default\":" ACCEPT ",\"transports\":[]}",
		"{\"default\":" ACCEPT ",\"transports\":{\"docker\":[]}}",
		"{\"default\":" ACCEPT ",\"transports\":{\"docker\":{\"x\":[]}}}",
		"{\"default\":" ACCEPT ",\"transports\":{\"docker\":{},\"docker\":{}}}",
		"{\"default\":" ACCEPT ",\"transports\":{\"docker\":{\"x\":" ACCEPT
		",\"x\":" ACCEPT "}}}",
		"{\"default\":" ACCEPT ",\"transports\":{\"dir\":{\"x\":" ACCEPT "}}}",
		"{\"default\":" ACCEPT
		",\"transports\":{\"docker-archive\":{\"/x\":" ACCEPT "}}}",
		WITH("{}"),
		WITH("{\"type\":\"Reject\"}"),
		WITH("{\"type\":\"reject\",\"x\":1}"),
		WITH("{\"type\":\"reject\",\"type\":\"reject\"}"),
		WITH("{\"type\":\"signedBy\",\"x\":1}"),
		WITH("{\"type\":\"insecureAcceptAnything\",\"keyPath\":\"/x\"}"),
		SIGNED(""),
		SIGNED(",\"keyPath\":\"\""),
		SIGNED(",\"keyPath\":null"),
		SIGNED(",\"keyPath\":[\"/x\"]"),
		SIGNED(",\"keyPath\":\"/x\",\"keyData\":\"eA==\""),
		SIGNED(",\"keyPaths\":[]"),
		SIGNED(",\"keyPaths\":\"/x\""),
		SIGNED(",\"keyPaths\":[\"/x\",1]"),
		SIGNED(",\"keyData\":\"*\""),
		SIGNED(",\"keyDatas\":[\"eA==\",\"*\"]"),
		SIGNED(",\"keyPath\":\"/x\",\"fulcio\":{}"),
		SIGNED(",\"rekorPublicKeyPath\":\"/x\""),
		SIGNED(",\"keyPath\":\"/x\",\"keypath\":\"/x\""),
		SIGNED(",\"keyPath\":\"/x\",\"signedIdentity\":null"),
		SIGNED(",\"keyPath\":\"/x\",\"signedIdentity\":{\"type\":\"x\"}"),
	};
	struct policy p;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};

		is_int(parse(rows[i], &p, &e), -EBADMSG, "%s: %s", rows[i], e.text);
		ok(e.text[0], "with a sentence");
	}
}

static void test_requirements(void)
{
	static const struct {
		const char *text;
		enum requirement_kind kind;
		const char *unsupported;
		size_t n_keys;
	} rows[] = {
		{WITH("{\"type\":\"reject\"}"), REQUIREMENT_REJECT, NULL, 0},
		{"{\"default\":" ACCEPT "}", REQUIREMENT_ACCEPT, NULL, 0},
		{SIGNED(",\"keyPath\":\"/x\""), REQUIREMENT_SIGNED, NULL, 1},
		{SIGNED(",\"keyPaths\":[\"/x\",\"/y\"]"), REQUIREMENT_SIGNED, NULL, 2},
		{SIGNED(",\"keyData\":\"e\\nA==\""), REQUIREMENT_SIGNED, NULL, 1},
		{SIGNED(",\"keyDatas\":[\"eA==\",\"eQ==\"]"), REQUIREMENT_SIGNED, NULL,
		 2},
		{SIGNED(",\"fulcio\":{},\"rekorPublicKeyPath\":\"/x\""),
		 REQUIREMENT_UNSUPPORTED, "fulcio", 0},
		{SIGNED(",\"pki\":{}"), REQUIREMENT_UNSUPPORTED, "pki", 0},
		{SIGNED(",\"keyPath\":\"/x\",\"rekorPublicKeyDatas\":[\"eA==\"]"),
		 REQUIREMENT_UNSUPPORTED, "rekorPublicKeyDatas", 1},
		{WITH("{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"/x\"}"),
		 REQUIREMENT_UNSUPPORTED, "signedBy", 0},
		{WITH("{\"type\":\"signedBaseLayer\",\"baseLayerIdentity\":{}}"),
		 REQUIREMENT_UNSUPPORTED, "signedBaseLayer", 0},
	};
	struct policy p;
	struct err e = {""};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct requirement *r;

		if (!ok(parse(rows[i].text, &p, &e) == 0, "%s %s", rows[i].text, e.text))
			continue;
		r = &p.scopes[0].list[0];
		is_int(r->kind, rows[i].kind, "its kind");
		is_int(r->n_keys, rows[i].n_keys, "its keys");
		is_text(r->unsupported, rows[i].unsupported, "what it lacks");
		policy_release(&p);
	}
}

static void test_choice(void)
{
	static const char text[] = "{\"default\":" REJECT
				   ",\"transports\":{\"docker\":{\"\":" ACCEPT
				   ",\"a.b/c\":" REJECT ",\"a.b/c:t\":" ACCEPT
				   ",\"*.b\":" REJECT "},\"oci\":{\"/x\":" ACCEPT
				   "},\"unknown\":{\"any thing\":" REJECT "}}}";
	static const struct {
		const char *transport, *reference, *path, *scope;
	} rows[] = {
		{"docker", "a.b/c:t", NULL, "a.b/c:t"},
		{"docker", "a.b/c:u", NULL, "a.b/c"},
		{"docker", "a.b/c/d", NULL, "a.b/c"},
		{"docker", "a.b/d", NULL, "*.b"},
		{"docker", "nginx", NULL, ""},
		{"oci", NULL, "/x/y", "/x"},
		{"oci", NULL, "/xy", NULL},
		{"dir", NULL, "/x", NULL},
	};
	struct policy p;
	size_t i;

	if (!ok(parse(text, &p, NULL) == 0, "a policy"))
		return;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reference r;
		struct subject s = {.transport = rows[i].transport, .path = rows[i].path};
		const struct policy_scope *found;

		if (rows[i].reference &&
		    reference_parse(rows[i].reference, &r, NULL) == 0)
			s.reference = &r;
		found = policy_choose(&p, &s);
		if (rows[i].scope)
			ok(found->transport &&
				   strcmp(found->transport, rows[i].transport) == 0 &&
				   strcmp(found->name, rows[i].scope) == 0,
			   "row %zu: %s", i, found->name);
		else
			ok(!found->transport, "row %zu: the default", i);
	}
	policy_release(&p);
}

int main(void)
{
	test_invalid();
	test_requirements();
	test_choice();
	return test_done();
}
