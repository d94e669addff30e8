/* SPDX-License-Identifier: MIT */
/* peelctl: reads images without a mount, reports on mounts, and manages the store. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/home.h"
#include "fs/ctl/ctl.h"

static const struct ctl_command *const commands[] = {
	&status_command,  &wait_command,       &which_command,	&ls_command,
	&cat_command,	  &tar_command,	       &diff_command,	&inspect_command,
	&history_command, &dockerfile_command, &run_command,	&index_command,
	&cache_command,	  &add_command,	       &remove_command, &setup_command,
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(const struct ctl_command *command, const char *before)
{
	const char *line = command->usage;
	size_t len;

	for (; *line; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		printf("%-6s peelctl %.*s\n", before, (int)len, line);
		before = "";
	}
}

static void print_help(void)
{
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		print_usage(commands[i], i == 0 ? "usage:" : "");
	putchar('\n');
	for (i = 0; i < N_COMMANDS; i++)
		fputs(commands[i]->help, stdout);
	fputs("  -h        print this help\n"
	      "  -V        print the version\n",
	      stdout);
}

static int ask_for_command(void)
{
	char names[256] = "";
	size_t i, n = 0;

	for (i = 0; i < N_COMMANDS && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s",
				      i == 0 ? "" : ", ", commands[i]->name);
	return ctl_usage("expected a command: %s", names);
}

static bool is_help(const char *word)
{
	return word && (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0);
}

/* @words: those after the name. Some names have a second word. */
static int run_one(const struct ctl_command *command, char **words)
{
	bool has_second = words[0] &&
			  (command == &cache_command || command == &setup_command ||
			   (command == &index_command && strcmp(words[0], "push") == 0));

	if (!is_help(words[0]) && !(has_second && is_help(words[1])))
		return command->run(words);
	print_usage(command, "usage:");
	printf("\n%s", command->help);
	return 0;
}

static int dispatch(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t i;

	if (is_help(name)) {
		print_help();
		return 0;
	}
	if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0) {
		printf("peelctl %s\n", PEELFS_VERSION);
		return 0;
	}
	for (i = 0; i < N_COMMANDS; i++) {
		if (strcmp(name, commands[i]->name) == 0)
			return run_one(commands[i], argv + 2);
	}
	return argc > 1 ? ctl_usage("unknown command %s", name) : ask_for_command();
}

/*
 * Opens descriptors 0, 1 and 2 if they are closed, so that no file of the store gets them.
 * Writing to them still fails.
 */
static void fill_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

int main(int argc, char **argv)
{
	int status;

	fill_standard();
	fault_init();
	umask(077); /* this and the next as peelfs */
	home_settle();
	status = dispatch(argc, argv);
	ctl_end_output();
	return status;
}
