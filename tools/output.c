/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700 /* realpath */
#include "output.h"
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The temporary files that exist now: an interrupted command removes them too. */
static struct output *volatile temporaries;

static const int fatal_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { fatal_signal_count = sizeof fatal_signals / sizeof fatal_signals[0] };

/* Only what POSIX allows in a handler. The signal keeps its usual effect: when it is raised again this is gone. */
static void remove_temporaries(int signal)
{
    for (struct output *o = temporaries; o; o = o->next) unlink(o->temporary);
    raise(signal);
}

/* A signal that is ignored (nohup) stays ignored. */
static void catch_signals(void)
{
    static bool caught;
    if (caught) return;
    caught = true;
    for (int i = 0; i < fatal_signal_count; i++) {
        struct sigaction old, ours = {.sa_handler = remove_temporaries, .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&ours.sa_mask);
        if (!sigaction(fatal_signals[i], NULL, &old) && old.sa_handler == SIG_DFL)
            sigaction(fatal_signals[i], &ours, NULL);
    }
}

/* Entering and leaving the list happens with the signals held back, so that the handler never sees half a list. */
static void hold_signals(sigset_t *before)
{
    sigset_t held;
    sigemptyset(&held);
    for (int i = 0; i < fatal_signal_count; i++) sigaddset(&held, fatal_signals[i]);
    sigprocmask(SIG_BLOCK, &held, before);
}

static void forget_temporary(struct output *output)
{
    for (struct output *volatile *o = &temporaries; *o; o = &(*o)->next)
        if (*o == output) {
            *o = output->next;
            return;
        }
}

/* Creates "target.1234-0.tmp" with the permissions a new file gets. */
static int create_temporary(struct output *output)
{
    size_t room = strlen(output->target) + 48;
    sigset_t before;
    int file = -1;
    if (!(output->temporary = malloc(room))) return -1;
    hold_signals(&before);
    for (int i = 0; file < 0 && i < 100; i++) {
        snprintf(output->temporary, room, "%s.%ld-%d.tmp", output->target, (long)getpid(), i);
        file = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file < 0 && errno != EEXIST) break;
    }
    if (file >= 0) {
        output->next = temporaries;
        temporaries = output;
        catch_signals();
    }
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    if (file < 0) {
        free(output->temporary);
        output->temporary = NULL;
    }
    return file;
}

/* A device or a pipe (/dev/null, /dev/stdout) must not be replaced by a file: it is written to as it is. A symbolic
 * link stays, what it points to is replaced. */
static int open_beside(struct output *output, const char *path)
{
    struct stat status;
    if (stat(path, &status)) {
        output->target = strdup(path);
        return output->target ? create_temporary(output) : -1;
    }
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    if (!(output->target = realpath(path, NULL))) return -1;
    return S_ISREG(status.st_mode) ? create_temporary(output) : open(path, O_WRONLY | O_CLOEXEC);
}

int output_open(struct output *output, const char *path)
{
    memset(output, 0, sizeof *output);
    int file = open_beside(output, path);
    if (file >= 0 && (output->file = fdopen(file, "wb"))) return 0;
    int error = errno;
    if (file >= 0) close(file);
    output_abandon(output);
    return fail("%s: cannot be written: %s", path, strerror(error));
}

int output_commit(struct output *output)
{
    /* A full disk may show up as late as in the close. */
    bool sound = !ferror(output->file) && !fflush(output->file);
    sound = !fclose(output->file) && sound;
    output->file = NULL;
    if (sound && (!output->temporary || !rename(output->temporary, output->target))) {
        if (output->temporary) forget_temporary(output);
        free(output->temporary);
        output->temporary = NULL;
        output_abandon(output);
        return 0;
    }
    int code = fail("%s: cannot be written: %s", output->target, errno ? strerror(errno) : "write error");
    output_abandon(output);
    return code;
}

void output_abandon(struct output *output)
{
    if (output->file) fclose(output->file);
    if (output->temporary) {
        unlink(output->temporary);
        forget_temporary(output);
    }
    free(output->temporary);
    free(output->target);
    memset(output, 0, sizeof *output);
}
