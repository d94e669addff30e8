/* SPDX-License-Identifier: MIT */
#include "registry/trust/payload.h"

#include <errno.h>

#include "base/err.h"
#include "tests/unit/test.h"

#define HEX   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define IMAGE "\"image\":{\"docker-manifest-digest\":\"sha256:" HEX "\"}"
#define NAME  "\"identity\":{\"docker-reference\":\"a.b/c:t\"}"
#define TYPE  "\"type\":\"cosign container image signature\""
#define CRIT  "\"critical\":{" IMAGE "," NAME "," TYPE "}"
#define OPT   "\"optional\":"

static void test_simple(void)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{"{" CRIT "," OPT "null}", true},
		{"{" CRIT "," OPT "{}}", true},
		{"{" OPT "{\"creator\":\"x\",\"timestamp\":1,\"y\":[]}," CRIT "}", true},
		{"", false},
		{"{}", false},
		{"{" CRIT "}", false},
		{"{" OPT "null}", false},
		{"{" CRIT "," OPT "[]}", false},
		{"{" CRIT "," OPT "null,\"x\":1}", false},
		{"{" CRIT "," CRIT "," OPT "null}", false},
		{"{" CRIT "," OPT "{\"creator\":1}}", false},
		{"{" CRIT "," OPT "{\"timestamp\":1.5}}", false},
		{"{" CRIT "," OPT "{\"timestamp\":\"1\"}}", false},
		{"{" CRIT "," OPT "{\"x\":1,\"x\":1}}", false},
		{"{" CRIT "," OPT "null", false},
		{"{\"critical\":{" IMAGE "," NAME "}," OPT "null}", false},
		{"{\"critical\":{" IMAGE "," TYPE "}," OPT "null}", false},
		{"{\"critical\":{" NAME "," TYPE "}," OPT "null}", false},
		{"{\"critical\":{" IMAGE "," NAME "," TYPE ",\"x\":1}," OPT "null}",
		 false},
		{"{\"critical\":{" IMAGE "," NAME ",\"type\":\"atomic container "
		 "signature\"}," OPT "null}",
		 false},
		{"{\"critical\":{\"image\":{\"docker-manifest-digest\":\"x\"}," NAME
		 "," TYPE "}," OPT "null}",
		 false},
		{"{\"critical\":{\"image\":{}," NAME "," TYPE "}," OPT "null}", false},
		{"{\"critical\":{" IMAGE ",\"identity\":{\"docker-reference\":1}," TYPE
		 "}," OPT "null}",
		 false},
		{"{\"critical\":{" IMAGE
		 ",\"identity\":{\"docker-reference\":\"x\",\"y\":1}," TYPE "}," OPT
		 "null}",
		 false},
	};
	char text[DIGEST_TEXT_MAX];
	struct payload p;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};
		int rc = payload_parse_simple(rows[i].text, strlen(rows[i].text), &p, &e);

		is_int(rc, rows[i].good ? 0 : -EBADMSG, "%s: %s", rows[i].text, e.text);
		if (rc < 0)
			continue;
		is_text(digest_format(&p.digest, text), "sha256:" HEX, "its digest");
		is_text(p.reference, "a.b/c:t", "its identity");
		payload_release(&p);
	}
}

#define PREDICATE "\"predicateType\":\"https://sigstore.dev/cosign/sign/v1\""
#define SUBJECT	  "{\"digest\":{\"sha256\":\"" HEX "\"}}"

static void test_statement(void)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{"{" PREDICATE ",\"subject\":[" SUBJECT "]}", true},
		{"{" PREDICATE ",\"subject\":[" SUBJECT "," SUBJECT "]}", false},
		{"{" PREDICATE ",\"subject\":[]}", false},
		{"{" PREDICATE ",\"subject\":" SUBJECT "}", false},
		{"{" PREDICATE ",\"subject\":[{\"digest\":{\"sha512\":\"" HEX "\"}}]}",
		 false},
		{"{" PREDICATE ",\"subject\":[{\"digest\":{\"sha256\":\"" HEX "0\"}}]}",
		 false},
		{"{" PREDICATE ",\"subject\":[{\"digest\":{\"sha256\":\"X123456789abcdef"
		 "0123456789abcdef0123456789abcdef0123456789abcdef\"}}]}",
		 false},
		{"{\"subject\":[" SUBJECT "]}", false},
		{"{\"predicateType\":\"https://spdx.dev/Document\",\"subject\":[" SUBJECT
		 "]}",
		 false},
		{"", false},
	};
	struct payload p;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};
		int rc = payload_parse_statement(rows[i].text, strlen(rows[i].text), &p,
						 &e);

		is_int(rc, rows[i].good ? 0 : -EBADMSG, "%s: %s", rows[i].text, e.text);
		if (rc == 0)
			ok(p.digest.alg == DIGEST_SHA256 && !p.reference, "its digest");
	}
}

#define INTOTO "\"payloadType\":\"application/vnd.in-toto+json\""

static void test_bundle(void)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{"{\"dsseEnvelope\":{" INTOTO ",\"payload\":\"aGVsbG8=\","
		 "\"signatures\":[{\"sig\":\"c2ln\"}]}}",
		 true},
		{"{\"dsseEnvelope\":{" INTOTO ",\"payload\":\"aGVsbG8=\","
		 "\"signatures\":[]}}",
		 false},
		{"{\"dsseEnvelope\":{" INTOTO ",\"payload\":\"aGVsbG8=\","
		 "\"signatures\":[{\"sig\":\"c2ln\"},{\"sig\":\"c2ln\"}]}}",
		 false},
		{"{\"dsseEnvelope\":{" INTOTO ",\"payload\":\"*\","
		 "\"signatures\":[{\"sig\":\"c2ln\"}]}}",
		 false},
		{"{\"dsseEnvelope\":{" INTOTO ",\"payload\":\"aGVsbG8=\","
		 "\"signatures\":[{\"sig\":\"*\"}]}}",
		 false},
		{"{\"dsseEnvelope\":{\"payloadType\":\"text/plain\",\"payload\":\"aGVsbG8=\","
		 "\"signatures\":[{\"sig\":\"c2ln\"}]}}",
		 false},
		{"{\"messageSignature\":{}}", false},
		{"", false},
	};
	struct bundle b;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};
		int rc = bundle_parse(rows[i].text, strlen(rows[i].text), &b, &e);

		is_int(rc, rows[i].good ? 0 : -EBADMSG, "%s: %s", rows[i].text, e.text);
		if (rc < 0)
			continue;
		is_text(buf_text(&b.statement), "hello", "the statement");
		is_text(buf_text(&b.signature), "sig", "the signature");
		is_text(buf_text(&b.signed_bytes),
			"DSSEv1 28 application/vnd.in-toto+json 5 hello", "DSSE's bytes");
		bundle_release(&b);
	}
}

#define FILE_TYPE "\"mimeType\":\"" PAYLOAD_SIMPLE_TYPE "\""
#define FILE_KEY  "\"annotations\":{\"" PAYLOAD_SIGNATURE_KEY "\":\"c2ln\"}"
#define FILE_BODY "{" FILE_TYPE ",\"payload\":\"aGVsbG8=\"," FILE_KEY "}"

static void test_file(void)
{
	static const struct {
		const char *head, *text;
		bool good;
	} rows[] = {
		{"sigstore-json\n", FILE_BODY, true},
		{"simple-signing\n", FILE_BODY, false},
		{"sigstore-json", FILE_BODY, false},
		{"sigstore-json\n", "", false},
		{"sigstore-json\n", "{" FILE_TYPE ",\"payload\":\"aGVsbG8=\"}", false},
		{"sigstore-json\n", "{" FILE_TYPE "," FILE_KEY "}", false},
		{"sigstore-json\n", "{\"payload\":\"aGVsbG8=\"," FILE_KEY "}", false},
		{"sigstore-json\n", FILE_BODY "x", false},
	};
	struct signature_file f;
	char text[1024];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};
		int rc, len = snprintf(text, sizeof(text), "%c%s%s", 0, rows[i].head,
				       rows[i].text);

		rc = signature_file_parse(text, (size_t)len, &f, &e);
		is_int(rc, rows[i].good ? 0 : -EBADMSG, "file %zu: %s", i, e.text);
		if (rc < 0)
			continue;
		is_text(buf_text(&f.payload), "hello", "the payload");
		is_text(buf_text(&f.signature), "sig", "the signature");
		signature_file_release(&f);
	}
	is_int(signature_file_parse(FILE_BODY, strlen(FILE_BODY), &f, NULL), -EBADMSG,
	       "no head");
}

int main(void)
{
	test_simple();
	test_statement();
	test_bundle();
	test_file();
	return test_done();
}
