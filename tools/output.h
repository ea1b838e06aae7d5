/* SPDX-License-Identifier: MIT
 *
 * Files that are either there in full or not at all: written to a temporary file beside the target, then renamed.
 */
#ifndef UPSAMPLE_OUTPUT_H
#define UPSAMPLE_OUTPUT_H

#include <stdio.h>

/* Starts as {0}. While it is open it must not move: a signal removes the temporary file through it. */
struct output {
    FILE *file;          /* to be written to; NULL when nothing is open */
    char *target;        /* what the file will be called */
    char *temporary;     /* what it is called until then; NULL for a device or a pipe, which is written directly */
    struct output *next; /* those that a signal has to remove */
};

/* Opens a temporary file beside path. 0, or an exit code after a line on stderr (see command.h). */
int output_open(struct output *output, const char *path);

/* Puts the file in its place, replacing what was there. On failure nothing is left behind and the old file stays. */
int output_commit(struct output *output);

/* Closes and removes what has not been committed. Does nothing after output_commit, or when nothing was opened. */
void output_abandon(struct output *output);

#endif
