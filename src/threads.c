/* SPDX-License-Identifier: MIT
 *
 * A pool of threads on pthreadpool for callers who have none. An object file of its own: a static link pulls it in, and
 * pthreadpool with it, only when it is used.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "error.h"

#if UPS_HAVE_PTHREADPOOL
#    include <pthreadpool.h>

struct ups_threads {
    pthreadpool_t pool;
    ups_parallel parallel;
};

struct call {
    void (*task)(void *context, int32_t i);
    void *context;
};

static void one(void *context, size_t i)
{
    const struct call *call = context;
    call->task(call->context, (int32_t)i);
}

static void parallel_for(void *context, int32_t count, void (*task)(void *task_context, int32_t i), void *task_context)
{
    struct call call = {task, task_context};
    pthreadpool_parallelize_1d(context, one, &call, (size_t)count, 0);
}

int32_t ups_threads_create(int32_t count, ups_threads **threads)
{
    if (!threads) return ups_error(UPS_INVALID, "threads = NULL; the address of a handle is needed");
    *threads = NULL;
    if (count < 1 || count > 1024) return ups_error(UPS_INVALID, "count = %" PRId32 "; legal: 1 to 1024", count);
    ups_threads *t = malloc(sizeof *t);
    pthreadpool_t pool = t ? pthreadpool_create((size_t)count) : NULL;
    if (!pool) {
        free(t);
        return ups_error(UPS_NO_MEMORY, "no memory for a pool of %" PRId32 " threads", count);
    }
    *t = (ups_threads){pool, {sizeof t->parallel, count, parallel_for, pool}};
    *threads = t;
    return UPS_OK;
}

void ups_threads_destroy(ups_threads *threads)
{
    if (threads) pthreadpool_destroy(threads->pool);
    free(threads);
}

const ups_parallel *ups_threads_parallel(const ups_threads *threads)
{
    return threads ? &threads->parallel : NULL;
}

#else

int32_t ups_threads_create(int32_t count, ups_threads **threads)
{
    if (threads) *threads = NULL;
    return ups_error(UPS_UNSUPPORTED, "a pool of %" PRId32 " threads: this build of the library has no pthreadpool",
                     count);
}

void ups_threads_destroy(ups_threads *threads)
{
    (void)threads;
}

const ups_parallel *ups_threads_parallel(const ups_threads *threads)
{
    (void)threads;
    return NULL;
}

#endif
