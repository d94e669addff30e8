/* SPDX-License-Identifier: MIT */
/* Blobs are pushed to a registry that breaks off, loses answers and forgets. */
#include "registry/remote/upload.h"

#include <errno.h>

#include "base/digest.h"
#include "base/err.h"
#include "registry/image/reference.h"
#include "registry/remote/client.h"
#include "registry/remote/remote.h"
#include "tests/unit/test.h"
#include "tests/unit/web.h"

#define LEN  5500
#define PART 1000

static struct web web;
static char content[LEN];
static struct digest content_digest;

/*
 * What it does with the requests that send something, in order, "." behind the last one:
 *	.  as it should		5  500, nothing is done		a  done, but no answer
 *	h  takes half of it, then 500			g  forgets the session: 404
 *	3  403			r  says that it has less than it had
 *	n  takes nothing of a part, but accepts it
 */
static const char *script;
static char upload[2 * LEN];
static size_t upload_len;
static bool has_upload, has_blob, is_relative;
static unsigned n_posts, n_patches, n_puts, n_status;

static char next_step(void)
{
	return *script ? *script++ : '.';
}

static void give_session(struct buf *out, int status)
{
	char fields[200], host[40] = "";

	if (!is_relative)
		snprintf(host, sizeof(host), "http://127.0.0.1:%u", web.port);
	snprintf(fields, sizeof(fields),
		 "Location: %s/v2/a/blobs/uploads/1?_state=x%zu\r\nRange: 0-%zu\r\n",
		 host, upload_len, upload_len ? upload_len - 1 : 0);
	web_give(out, status, fields, "");
}

static void take(const struct web_request *rq, size_t len)
{
	if (len > sizeof(upload) - upload_len)
		exit(77);
	memcpy(upload + upload_len, rq->body, len);
	upload_len += len;
}

/* A part: only where the last one ended. */
static void on_patch(const struct web_request *rq, char step, struct buf *out)
{
	const char *range = strstr(rq->fields, "\r\nContent-Range: ");
	unsigned long first = range ? strtoul(range + 17, NULL, 10) : 0;

	n_patches++;
	if (!has_upload || step == 'g') {
		has_upload = false;
		web_give(out, 404, "",
			 "{\"errors\":[{\"code\":\"BLOB_UPLOAD_UNKNOWN\"}]}");
	} else if (!range || first != upload_len) {
		web_give(out, 416, "", "");
	} else {
		if (step != 'n')
			take(rq, step == 'h' ? rq->body_len / 2 : rq->body_len);
		if (step == 'r')
			upload_len = 0;
		if (step == 'h')
			web_give(out, 500, "", "");
		else if (step != 'a')
			give_session(out, 202);
	}
}

static void on_put(const struct web_request *rq, char step, struct buf *out)
{
	char text[DIGEST_TEXT_MAX], want[DIGEST_TEXT_MAX + 16], *colon;

	n_puts++;
	if (!has_upload || step == 'g') {
		has_upload = false;
		web_give(out, 404, "", "{}");
		return;
	}
	take(rq, rq->body_len);
	digest_format(&content_digest, text);
	colon = strchr(text, ':');
	snprintf(want, sizeof(want), "&digest=sha256%%3A%s", colon + 1);
	has_blob = strstr(rq->path, want) && upload_len == LEN &&
		   memcmp(upload, content, LEN) == 0;
	has_upload = false;
	if (step != 'a')
		web_give(out, has_blob ? 201 : 400, "", "");
}

static void answer(void *arg, const struct web_request *rq, struct buf *out)
{
	char step;

	(void)arg;
	if (rq->head) {
		web_give(out, has_blob ? 200 : 404, "", "");
		return;
	}
	if (strncmp(rq->fields, "GET ", 4) == 0) {
		n_status++;
		if (has_upload)
			give_session(out, 204);
		else
			web_give(out, 404, "", "{}");
		return;
	}
	step = next_step();
	if (step == '5' || step == '3') {
		web_give(
			out, step == '5' ? 500 : 403, "",
			"{\"errors\":[{\"code\":\"DENIED\",\"message\":\"over quota\"}]}");
	} else if (strncmp(rq->fields, "POST ", 5) == 0) {
		n_posts++;
		has_upload = true;
		upload_len = 0;
		if (step != 'a')
			give_session(out, 202);
	} else if (strncmp(rq->fields, "PATCH ", 6) == 0) {
		on_patch(rq, step, out);
	} else {
		on_put(rq, step, out);
	}
}

static struct remote *open_remote(struct client **c, unsigned timeout)
{
	const struct client_options options = {.timeout = timeout};
	struct reference ref;
	struct remote *r = NULL;
	char text[100];
	struct err e;

	snprintf(text, sizeof(text), "127.0.0.1:%u/a:t", web.port);
	if (client_new(&options, NULL, c, &e) < 0 ||
	    reference_parse(text, &ref, &e) < 0 ||
	    remote_new_writer(*c, &ref, &r, &e) < 0) {
		printf("# %s\n", e.text);
		exit(1);
	}
	return r;
}

static void test_blob(void)
{
	static const struct {
		const char *script, *what;
		size_t part;
		int rc;
		unsigned posts, patches, puts, status;
	} rows[] = {
		{"", "at once", LEN, 1, 1, 0, 1, 0},
		{".5", "busy: a session more", LEN, 1, 2, 0, 1, 0},
		{"5", "busy at first", LEN, 1, 1, 0, 1, 0},
		{"a", "no session came", LEN, 1, 2, 0, 1, 0},
		{".a", "done, but the answer is lost", LEN, 1, 1, 0, 1, 0},
		{".g", "forgotten", LEN, 1, 2, 0, 2, 0},
		{"3", "refused", LEN, -EACCES, 0, 0, 0, 0},
		{".3", "refused late", LEN, -EACCES, 1, 0, 0, 0},
		{"", "in parts", PART, 1, 1, 6, 1, 0},
		{"..5", "a part fails and is sent again", PART, 1, 1, 6, 1, 1},
		{"..a", "a part arrives, but not its answer", PART, 1, 1, 6, 1, 1},
		{"..h", "half a part", PART, 1, 1, 6, 1, 1},
		{".hhh", "half of each", PART, 1, 1, 7, 1, 3},
		{"...g", "parts that are forgotten", PART, 1, 2, 9, 1, 0},
		{".......a", "the last answer is lost", PART, 1, 1, 6, 1, 0},
		{"...r", "what it had is gone: from the start", PART, 1, 1, 9, 1, 1},
	};
	struct client *c = NULL;
	struct remote *r = open_remote(&c, 10);
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};
		int rc;

		script = rows[i].script;
		has_blob = has_upload = false;
		is_relative = i % 2;
		n_posts = n_patches = n_puts = n_status = 0;
		rc = upload_blob(r, &content_digest, content, LEN, rows[i].part, &e);
		is_int(rc, rows[i].rc, "%s: %s", rows[i].what, e.text);
		is_int(has_blob, rc >= 0, "the blob is there");
		is_int(n_posts, rows[i].posts, "sessions");
		is_int(n_patches, rows[i].patches, "parts");
		is_int(n_puts, rows[i].puts, "ends");
		is_int(n_status, rows[i].status, "questions");
		if (rc < 0)
			ok(strstr(e.text, "over quota") != NULL, "says: %s", e.text);
	}
	has_blob = true;
	n_posts = 0;
	is_int(upload_blob(r, &content_digest, content, LEN, LEN, NULL), 0,
	       "what is there");
	is_int(n_posts, 0, "is not sent");
	remote_free(r);
	client_free(c);
}

/* A registry that accepts each part and keeps none is not asked without end. */
static void test_no_progress(void)
{
	struct client *c = NULL;
	struct remote *r = open_remote(&c, 2);
	char steps[200];
	struct err e = {""};

	memset(steps, 'n', sizeof(steps));
	steps[0] = '.'; /* the session */
	steps[sizeof(steps) - 1] = '\0';
	script = steps;
	has_blob = has_upload = false;
	is_int(upload_blob(r, &content_digest, content, LEN, PART, &e), -EIO,
	       "nothing is taken");
	ok(*script != '\0', "and it ends soon: %s", e.text);
	remote_free(r);
	client_free(c);
}

int main(void)
{
	size_t i;

	for (i = 0; i < LEN; i++)
		content[i] = (char)(i * 2654435761u >> 13);
	if (digest_of(DIGEST_SHA256, content, LEN, &content_digest) < 0)
		return 77;
	web_start(&web, answer, NULL);
	test_blob();
	test_no_progress();
	web_stop(&web);
	return test_done();
}
