/* SPDX-License-Identifier: MIT */
/*
 * What the kernel shows in the root file system of a sandbox: /proc, /sys, /dev, and
 * /etc/resolv.conf and /etc/hosts. As in podman, what is not of the sandbox alone is hidden
 * or read-only. For the first process of a sandbox, before it enters the root.
 *
 * Calls give 0, or a negative errno and a sentence.
 */
#ifndef FS_RUN_DEVICES_H
#define FS_RUN_DEVICES_H

#include <stdbool.h>

struct err;
struct ids;

/* /proc, of this pid namespace, and /sys. @owns_network: the network namespace is new, too. */
int devices_mount_kernel(int root, bool owns_network, struct err *e);
/* /dev, with a few devices, terminals of its own and shared memory. */
int devices_mount_dev(int root, const struct ids *ids, struct err *e);
/*
 * The files that a program needs to find hosts: copies, which are kept in the directory
 * @store, of an attached file system that goes with the sandbox.
 */
int devices_add_network_files(int root, int store, bool has_network, struct err *e);
/*
 * Opens a new terminal of that /dev, and makes it /dev/console. The caller closes both
 * descriptors.
 */
int devices_open_terminal(int root, int *master, int *slave, struct err *e);
/* Brings up the loopback interface of a new network namespace. */
int devices_start_loopback(struct err *e);

#endif
