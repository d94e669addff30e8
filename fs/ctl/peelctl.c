/* SPDX-License-Identifier: MIT */
/* peelctl: asks mounts how they are, files where they are from, the cache what it holds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "fs/ctl/ctl.h"

static const char help[] =
	"usage: peelctl status [[--json] MOUNTPOINT]\n"
	"       peelctl which PATH...\n"
	"       peelctl index [-o OPT[,OPT...]] SOURCE\n"
	"       peelctl cache list|verify [--dir=DIR]\n"
	"       peelctl cache prune [--dir=DIR] [SIZE]\n"
	"\n"
	"  status    the image, its layers, what was fetched; --json: as it is in\n"
	"            MOUNTPOINT/.peelfs/status.json; without a mount point: all mounts\n"
	"  which     a file's layer, the build step that made it, its digest\n"
	"  index     gets an image's layers into the cache, without a mount\n"
	"  cache     what is kept; list; verify: check all of it, and take out what is\n"
	"            damaged; prune: keep SIZE, as 2G, or nothing; mounted layers stay\n"
	"  -h        print this\n"
	"  -V        print the version\n";

static const struct {
	const char *name;
	int (*run)(char **words);
} commands[] = {
	{"status", ctl_status},
	{"which", ctl_which},
	{"index", ctl_index},
	{"cache", ctl_cache},
};

static int run(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t i;

	if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0) {
		fputs(help, stdout);
		return 0;
	}
	if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0) {
		printf("peelctl %s\n", PEELFS_VERSION);
		return 0;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argv + 2);
	}
	return argc > 1 ? ctl_usage("unknown command %s", name)
			: ctl_usage("status, which, index or cache?");
}

/* What was asked for is not told if nobody could read it. */
int main(int argc, char **argv)
{
	int status;

	fault_init();
	umask(077); /* as peelfs */
	status = run(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "peelctl: cannot write: %s\n", strerror(errno));
		return 1;
	}
	return status;
}
