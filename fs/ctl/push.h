/* SPDX-License-Identifier: MIT */
/* peelctl index push: puts the indexes of an image beside it in the registry. */
#ifndef FS_CTL_PUSH_H
#define FS_CTL_PUSH_H

/* @words are those after "push". The exit status, as of ctl_command.run(). */
int push_run(char **words);

#endif
