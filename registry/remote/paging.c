/* SPDX-License-Identifier: MIT */
/*
 * The Link field names the next page, and its query is used as it is. Some registries never
 * send Link but cut the list all the same: if a page has exactly the requested number of names,
 * the list continues after its last name. A registry that supports neither sends the first
 * page again, which its first name reveals.
 */
#include "registry/remote/paging.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "registry/http/fields.h"
#include "registry/http/http.h"
#include "registry/http/refusal.h"
#include "registry/http/retry.h"
#include "registry/http/url.h"
#include "registry/image/reference.h"
#include "registry/remote/remote.h"

/* Names per page. Registries with a limit allow at least so many. */
#define PAGE_NAMES 1000
#define PAGES_MAX  20000

static const char *list_path(enum name_page_kind kind)
{
	return kind == NAMES_TAGS ? "tags/list" : "_catalog";
}

int paging_next(const char *what, const char *link, struct buf *next, struct err *e)
{
	size_t len = 0, i, path = strcspn(what, "?");
	const char *target = link ? link_next(link, &len) : NULL, *query;
	int rc;

	buf_clear(next);
	if (!target)
		return 0;
	for (i = 0; i < len; i++) {
		if (target[i] <= ' ' || target[i] > '~')
			return err_set(
				e, -EBADMSG,
				"the registry's link to the next page is not a URL");
	}
	query = memchr(target, '?', len);
	len = query ? strcspn(query, "#>") : 0;
	rc = buf_append(next, what, path);
	if (rc == 0)
		rc = buf_append(next, query ? query : "", len);
	if (rc < 0)
		return err_set(e, rc, "the registry's link to the next page is too long");
	if (!query || strcmp(buf_text(next), what) == 0)
		return err_set(
			e, -EBADMSG,
			"the registry's link to the next page leads to the same page");
	return 0;
}

struct page {
	struct name_page *names; /* owned */
	const char *text;
	size_t count, said;
	char *link; /* owned */
};

static void page_release(struct page *p)
{
	name_page_free(p->names);
	free(p->link);
	*p = (struct page){0};
}

static int page_read(struct transfer *t, const struct remote *r, int64_t *until,
		     enum name_page_kind kind, struct page *p, struct err *e)
{
	const char *link = transfer_head(t)->link;
	const void *data;
	ssize_t n;
	int rc = refuse_coding(t, e);

	if (rc < 0)
		return rc;
	p->link = link ? strdup(link) : NULL;
	if (name_page_new(kind, &p->names) < 0 || (link && !p->link))
		return err_set(e, -ENOMEM, "out of memory");
	while ((n = transfer_next(t, &data, SIZE_MAX / 2, remote_try_deadline(r, *until),
				  e)) > 0) {
		*until = remote_deadline(r);
		rc = name_page_feed(p->names, data, (size_t)n, e);
		if (rc < 0)
			return rc;
	}
	if (n < 0)
		return (int)n;
	p->text = name_page_finish(p->names, &p->count, &p->said, e);
	return p->text ? 0 : -EBADMSG;
}

/* Gets one page; a broken transfer is repeated. */
static int page_get(struct remote *r, const char *what, enum name_page_kind kind,
		    struct page *p, struct err *e)
{
	struct remote_request rq = {
		.what = what,
		.accept = "application/json",
		.by_tag = true,
		.may_hide = true,
	};
	struct transfer *t;
	struct retry retry;
	int rc;

	retry_init(&retry, remote_http(r), remote_deadline(r));
	for (;;) {
		t = NULL;
		rc = remote_open(r, &rq, &retry.until, NULL, &t, e);
		if (rc < 0)
			return rc;
		rc = page_read(t, r, &retry.until, kind, p, e);
		transfer_close(t);
		if (!retry_is_worth_error(rc) || !retry_wait(&retry, 0))
			break;
		page_release(p);
		http_count_retry(remote_http(r));
	}
	return retry_is_worth_error(rc) ? -EIO : rc;
}

struct paging {
	enum name_page_kind kind;
	name_fn *fn;
	void *arg;
	size_t n_pages, n_names;
	struct buf what, next;
	char *first; /* the first name of the list */
	bool has_links;
};

static const char *page_last_name(const struct page *p)
{
	const char *name = p->text;
	size_t i;

	for (i = 1; i < p->count; i++)
		name += strlen(name) + 1;
	return name;
}

static int paging_report(struct paging *l, const struct page *p, struct err *e)
{
	const char *name = p->text;
	size_t i;
	int rc = 0;

	for (i = 0; i < p->count && rc == 0; i++, name += strlen(name) + 1) {
		if (++l->n_names > PAGING_NAMES_MAX)
			return err_set(e, -E2BIG,
				       "the list has more than %d names and is cut",
				       PAGING_NAMES_MAX);
		rc = l->fn(l->arg, name);
	}
	return rc;
}

/* The next page of a registry that never sends Link, in l->next; "": there is none. */
static int paging_guess_next(struct paging *l, const struct page *p)
{
	int rc;

	l->has_links |= l->next.len > 0;
	if (l->has_links || p->said != PAGE_NAMES || p->count == 0)
		return 0;
	rc = buf_printf(&l->next, "%s?n=%d", list_path(l->kind), PAGE_NAMES);
	return rc < 0 ? rc : url_query(&l->next, "last", page_last_name(p));
}

static int paging_take(struct paging *l, const struct page *p, struct err *e)
{
	int rc;

	if (l->first && p->count > 0 && strcmp(p->text, l->first) == 0)
		return 0; /* the first page again: it is the only one */
	if (!l->first && p->count > 0 && !(l->first = strdup(p->text)))
		return err_set(e, -ENOMEM, "out of memory");
	rc = paging_report(l, p, e);
	if (rc == 0)
		rc = paging_next(buf_text(&l->what), p->link, &l->next, e);
	if (rc == 0 && paging_guess_next(l, p) < 0)
		rc = err_set(e, -ENOMEM, "out of memory");
	if (rc == 0 && ++l->n_pages == PAGES_MAX && l->next.len > 0)
		rc = err_set(e, -E2BIG, "the list has more than %d pages and is cut",
			     PAGES_MAX);
	return rc;
}

int paging_names(struct remote *r, enum name_page_kind kind, name_fn *fn, void *arg,
		 struct err *e)
{
	struct paging l = {.kind = kind, .fn = fn, .arg = arg};
	struct page p = {0};
	int rc;

	buf_init(&l.what, HTTP_URL_MAX);
	buf_init(&l.next, HTTP_URL_MAX);
	rc = buf_printf(&l.what, "%s?n=%d", list_path(kind), PAGE_NAMES);
	if (rc < 0)
		err_set(e, rc, "out of memory");
	while (rc == 0) {
		struct buf old = l.what;

		rc = page_get(r, buf_text(&l.what), kind, &p, e);
		buf_clear(&l.next);
		if (rc == 0)
			rc = paging_take(&l, &p, e);
		page_release(&p);
		if (l.next.len == 0)
			break;
		l.what = l.next;
		l.next = old;
	}
	free(l.first);
	buf_release(&l.what);
	buf_release(&l.next);
	return rc;
}

static int not_offered(const char *host, int rc, struct err *e)
{
	if (rc == -EACCES || rc == -ENOENT || rc == -ENOTSUP)
		return err_prefix(e, rc == -EACCES ? rc : -ENOTSUP,
				  "%s does not list its repositories", host);
	return rc;
}

int paging_catalog(struct client *c, const char *host, name_fn *fn, void *arg,
		   struct err *e)
{
	struct remote *r = NULL;
	struct reference ref = {.path = ""};
	int rc;

	if (!reference_is_host(host, strlen(host)) || strlen(host) > REFERENCE_HOST_MAX)
		return err_set(e, -EINVAL, "%.80s: not a registry's name", host);
	strcpy(ref.host, host);
	rc = remote_new(c, &ref, &r, e);
	if (rc == 0)
		rc = paging_names(r, NAMES_REPOSITORIES, fn, arg, e);
	remote_free(r);
	return not_offered(host, rc, e);
}
