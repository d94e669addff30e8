/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a unit test, refuses one allocation: the first one of the OOM_SITE-th
 * place. A place is three callers, so that a loop that allocates ten thousand times is
 * tried once, and a function that is tested fifty times not fifty times. OOM_LEFT names a
 * file that is made when there was no such place: then the test is through.
 *
 * Refused is what the program asks for, itself or through libc; other libraries get what
 * they want, for some (yajl) cannot do without.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#define MAX_PLACES 8192
#define CALLERS	   3
#define MAX_DEPTH  (CALLERS + 4) /* this file's, and a sanitizer's */

void *malloc(size_t len);
void *calloc(size_t n, size_t len);
void *realloc(void *old, size_t len);

static struct dl_find_object program, libc;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t seen[MAX_PLACES];
static unsigned places;
static unsigned wanted; /* 0 until main(): what sets the libraries up gets all it wants */
/* Of this thread: what backtrace() itself allocates is let through. */
static __thread bool is_busy;

static bool is_new(uint64_t place)
{
	size_t i = place % MAX_PLACES;

	while (seen[i] && seen[i] != place)
		i = (i + 1) % MAX_PLACES;
	if (seen[i] || places == MAX_PLACES - 1)
		return false;
	seen[i] = place;
	places++;
	return true;
}

static bool is_in(const struct dl_find_object *home, const void *code)
{
	const char *p = code;

	return p >= (char *)home->dlfo_map_start && p < (char *)home->dlfo_map_end;
}

static bool is_refused(const void *caller)
{
	void *callers[MAX_DEPTH];
	uint64_t place = 0xcbf29ce484222325u;
	bool refused, by_program = false;
	int i, j, n;

	if (!wanted || is_busy)
		return false;
	is_busy = true;
	n = 0;
	if (is_in(&program, caller) || is_in(&libc, caller))
		n = backtrace(callers, MAX_DEPTH);
	for (i = 0; i < n && callers[i] != caller;)
		i++;
	/* A sanitizer that greets a new thread asks libc too, and cannot do without. */
	for (j = i; j < n; j++)
		by_program = by_program || is_in(&program, callers[j]);
	for (n = n > i + CALLERS ? i + CALLERS : n; i < n; i++)
		place = (place ^ (uintptr_t)callers[i]) * 0x100000001b3u;
	pthread_mutex_lock(&lock);
	refused = by_program && is_new(place | 1) && places == wanted;
	pthread_mutex_unlock(&lock);
	is_busy = false;
	if (refused)
		errno = ENOMEM;
	return refused;
}

void *malloc(size_t len)
{
	static void *(*real)(size_t);

	if (!real)
		real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
	return is_refused(__builtin_return_address(0)) ? NULL : real(len);
}

void *calloc(size_t n, size_t len)
{
	static void *(*real)(size_t, size_t);

	if (!real)
		real = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
	return is_refused(__builtin_return_address(0)) ? NULL : real(n, len);
}

void *realloc(void *old, size_t len)
{
	static void *(*real)(void *, size_t);

	if (!real)
		real = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
	return is_refused(__builtin_return_address(0)) ? NULL : real(old, len);
}

typedef int main_fn(int, char **, char **);
typedef int start_fn(main_fn *, int, char **, void *, void *, void *, void *);

/* What calls main(). A constructor would come too early, before ASan has begun. */
start_fn __libc_start_main;
int __libc_start_main(main_fn *run, int argc, char **argv, void *init, void *fini,
		      void *rtld_fini, void *stack)
{
	start_fn *real = (start_fn *)dlsym(RTLD_NEXT, "__libc_start_main");
	const char *text = getenv("OOM_SITE");

	_dl_find_object((void *)getauxval(AT_ENTRY), &program);
	_dl_find_object((void *)gnu_get_libc_version, &libc);
	wanted = text ? (unsigned)atoi(text) : 0;
	return real(run, argc, argv, init, fini, rtld_fini, stack);
}

__attribute__((destructor)) static void tell_whether_through(void)
{
	const char *path = getenv("OOM_LEFT");

	if (path && places < wanted)
		close(open(path, O_CREAT | O_WRONLY, 0600));
}
