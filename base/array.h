/* SPDX-License-Identifier: MIT */
/*
 * Arrays that grow at their end, one element at a time.
 *
 * The allocated room follows from the number of elements (4, 8, 16, ...), so an array is
 * a pointer and a count:
 *
 *	rc = array_grow(&list, n, sizeof(*list));
 *	if (rc == 0)
 *		list[n++] = element;
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

/*
 * Makes room for one element after the first @n. @list is the address of the pointer to
 * the elements, which is NULL at first. 0, or -ENOMEM and the array is as it
 * was. All growth of an array must go through this call.
 */
int array_grow(void *list, size_t n, size_t size);

#endif
