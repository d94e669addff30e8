/* SPDX-License-Identifier: MIT */
#include "registry/trust/payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/json.h"
#include "registry/trust/strict.h"

#define SIMPLE_TYPE    "cosign container image signature"
#define STATEMENT_TYPE "application/vnd.in-toto+json"
/* Without it, an SBOM by the same key would count as a signature of the image. */
#define SIGNED_PREDICATE "https://sigstore.dev/cosign/sign/v1"

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

void payload_release(struct payload *p)
{
	free(p->reference);
	*p = (struct payload){0};
}

/* SIMPLE SIGNING (containers/image docs/atomic-signature.md, cosign specs/SIGNATURE_SPEC.md) */

/* cosign writes null if there is nothing optional. */
static int check_optional(const struct json *j, struct err *e)
{
	const struct json *creator = json_member(j, "creator");
	const struct json *time = json_member(j, "timestamp");
	int64_t number;
	int rc = json_type(j) == JSON_NULL ? 0 : strict_object(j, "\"optional\"", e);

	if (rc == 0 && creator && json_type(creator) != JSON_STRING)
		rc = err_set(e, -EBADMSG, "\"creator\" is not a text");
	if (rc == 0 && time && !json_int(time, &number))
		rc = err_set(e, -EBADMSG, "\"timestamp\" is not a whole number");
	return rc;
}

static int read_digest(const struct json *image, struct digest *out, struct err *e)
{
	static const char *const members[] = {"docker-manifest-digest", NULL};
	const char *text = NULL;
	int rc = strict_members(image, "\"image\"", members, 1, e);

	if (rc == 0)
		rc = strict_text(image, members[0], &text, e);
	if (rc == 0 && digest_parse(text, strlen(text), out) < 0)
		rc = err_set(e, -EBADMSG, "\"%s\" is not a digest", members[0]);
	return rc;
}

static int read_reference(const struct json *identity, char **out, struct err *e)
{
	static const char *const members[] = {"docker-reference", NULL};
	const char *text = NULL;
	int rc = strict_members(identity, "\"identity\"", members, 1, e);

	if (rc == 0 && !(text = json_member_string(identity, members[0])))
		rc = err_set(e, -EBADMSG, "\"%s\" is not a text", members[0]);
	if (rc == 0 && !(*out = strdup(text)))
		rc = out_of_memory(e);
	return rc;
}

static int read_critical(const struct json *j, struct payload *out, struct err *e)
{
	static const char *const members[] = {"type", "image", "identity", NULL};
	const char *type = json_member_string(j, "type");
	int rc = strict_members(j, "\"critical\"", members, 3, e);

	if (rc == 0 && (!type || strcmp(type, SIMPLE_TYPE) != 0))
		rc = err_set(e, -EBADMSG, "it has the unknown type %.100s",
			     type ? type : "(none)");
	if (rc == 0)
		rc = read_digest(json_member(j, "image"), &out->digest, e);
	if (rc == 0)
		rc = read_reference(json_member(j, "identity"), &out->reference, e);
	return rc;
}

int payload_parse_simple(const void *data, size_t len, struct payload *out, struct err *e)
{
	static const char *const members[] = {"critical", "optional", NULL};
	struct payload p = {0};
	struct json *j = NULL;
	int rc = json_parse(data, len, &j, e);

	if (rc == 0)
		rc = strict_members(j, "the payload", members, 2, e);
	if (rc == 0)
		rc = check_optional(json_member(j, "optional"), e);
	if (rc == 0)
		rc = read_critical(json_member(j, "critical"), &p, e);
	json_free(j);
	if (rc < 0) {
		payload_release(&p);
		return rc == -ENOMEM ? rc : -EBADMSG;
	}
	*out = p;
	return 0;
}

/* STATEMENTS (in-toto attestation framework, "Statement") */

static int read_subject(const struct json *list, struct payload *out, struct err *e)
{
	const struct json *digests = json_member(json_item(list, 0), "digest");
	const char *hex = json_member_string(digests, "sha256");
	char text[DIGEST_TEXT_MAX] = "sha256:";

	if (json_count(list) != 1 || !hex || strlen(hex) != 64)
		return err_set(e, -EBADMSG,
			       "its statement is not about one SHA-256 digest");
	strcat(text, hex);
	if (digest_parse(text, strlen(text), &out->digest) < 0)
		return err_set(e, -EBADMSG, "its statement is not about a digest");
	return 0;
}

int payload_parse_statement(const void *data, size_t len, struct payload *out,
			    struct err *e)
{
	struct payload p = {0};
	struct json *j = NULL;
	const char *type;
	int rc = json_parse(data, len, &j, e);

	if (rc < 0)
		return rc == -ENOMEM ? rc : -EBADMSG;
	type = json_member_string(j, "predicateType");
	if (!type || strcmp(type, SIGNED_PREDICATE) != 0)
		rc = err_set(e, -EBADMSG,
			     "its statement is no signature, but of the type %.100s",
			     type ? type : "(none)");
	else
		rc = read_subject(json_member(j, "subject"), &p, e);
	json_free(j);
	if (rc == 0)
		*out = p;
	return rc;
}

/* BUNDLES (sigstore protobuf-specs, sigstore_bundle.proto) */

void bundle_release(struct bundle *b)
{
	buf_release(&b->statement);
	buf_release(&b->signed_bytes);
	buf_release(&b->signature);
}

/* Decodes the member @key to @out, which is empty. */
static int read_bytes(const struct json *j, const char *key, struct buf *out,
		      struct err *e)
{
	const char *text = NULL;
	char *copy;
	size_t len;
	int rc = strict_text(j, key, &text, e);

	if (rc < 0)
		return rc;
	copy = strdup(text);
	if (!copy)
		return out_of_memory(e);
	len = strlen(copy);
	rc = base64_decode(copy, &len)
		     ? buf_append(out, copy, len)
		     : err_set(e, -EBADMSG, "\"%s\" is not base64", key);
	free(copy);
	return rc;
}

/* The pre-authentication encoding of DSSE (its "protocol.md"). */
static int encode_signed(struct bundle *b)
{
	int rc = buf_printf(&b->signed_bytes, "DSSEv1 %zu %s %zu ",
			    sizeof(STATEMENT_TYPE) - 1, STATEMENT_TYPE, b->statement.len);

	return rc < 0 ? rc
		      : buf_append(&b->signed_bytes, b->statement.data, b->statement.len);
}

static int read_envelope(const struct json *j, struct bundle *b, struct err *e)
{
	const char *type = json_member_string(j, "payloadType");
	const struct json *list = json_member(j, "signatures");
	int rc;

	if (!type || strcmp(type, STATEMENT_TYPE) != 0)
		return err_set(e, -EBADMSG, "the bundle has no statement");
	if (json_count(list) != 1)
		return err_set(e, -EBADMSG, "the bundle has not one signature, but %zu",
			       json_count(list));
	rc = read_bytes(j, "payload", &b->statement, e);
	if (rc == 0)
		rc = read_bytes(json_item(list, 0), "sig", &b->signature, e);
	return rc < 0 ? rc : encode_signed(b);
}

int bundle_parse(const void *data, size_t len, struct bundle *out, struct err *e)
{
	struct bundle b;
	struct json *j = NULL;
	int rc;

	buf_init(&b.statement, PAYLOAD_MAX);
	buf_init(&b.signed_bytes, PAYLOAD_MAX + 100); /* the encoding adds a few words */
	buf_init(&b.signature, PAYLOAD_MAX);
	*out = b;
	rc = json_parse(data, len, &j, e);
	if (rc == 0)
		rc = read_envelope(json_member(j, "dsseEnvelope"), &b, e);
	json_free(j);
	if (rc < 0) {
		bundle_release(&b);
		return rc == -ENOMEM ? rc : -EBADMSG;
	}
	*out = b;
	return 0;
}

/* FILES (containers/image, internal/signature) */

/* A zero byte, the name of the format, and the end of the line. */
static const char file_head[] = "\0sigstore-json\n";
#define FILE_HEAD_LEN (sizeof(file_head) - 1)

void signature_file_release(struct signature_file *f)
{
	buf_release(&f->payload);
	buf_release(&f->signature);
}

static int read_file(const struct json *j, struct signature_file *f, struct err *e)
{
	const char *type = json_member_string(j, "mimeType");
	int rc;

	if (!type || strcmp(type, PAYLOAD_SIMPLE_TYPE) != 0)
		return err_set(e, -EBADMSG, "it is of the type %.100s",
			       type ? type : "(none)");
	rc = read_bytes(j, "payload", &f->payload, e);
	if (rc == 0)
		rc = read_bytes(json_member(j, "annotations"), PAYLOAD_SIGNATURE_KEY,
				&f->signature, e);
	return rc;
}

int signature_file_parse(const void *data, size_t len, struct signature_file *out,
			 struct err *e)
{
	struct json *j = NULL;
	int rc;

	buf_init(&out->payload, PAYLOAD_MAX);
	buf_init(&out->signature, PAYLOAD_MAX);
	if (len < FILE_HEAD_LEN || memcmp(data, file_head, FILE_HEAD_LEN) != 0)
		return err_set(e, -EBADMSG, "not a signature of sigstore");
	rc = json_parse((const char *)data + FILE_HEAD_LEN, len - FILE_HEAD_LEN, &j, e);
	if (rc == 0)
		rc = read_file(j, out, e);
	json_free(j);
	if (rc < 0)
		signature_file_release(out);
	return rc < 0 && rc != -ENOMEM ? -EBADMSG : rc;
}
