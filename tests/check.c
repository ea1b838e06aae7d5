/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- random numbers ---- */

/* splitmix64: every seed is a good one. */
uint32_t check_random(void)
{
    static int seeded;
    static uint64_t state;

    if (!seeded) {
        const char *text = getenv("UPS_TEST_SEED");
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        state = text && *text ? strtoull(text, NULL, 0) : (uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec << 20;
        state &= UINT32_MAX;
        printf("UPS_TEST_SEED=%llu\n", (unsigned long long)state);
        fflush(stdout);
        seeded = 1;
    }
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

int64_t check_between(int64_t low, int64_t high)
{
    return low + (int64_t)(check_random() % (uint64_t)(high - low + 1));
}

int check_quick(void)
{
    const char *text = getenv("UPS_TEST_QUICK");
    return text && *text && strcmp(text, "0") != 0;
}

/* ---- values ---- */

uint32_t check_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static float plain(void)
{
    return (float)((int32_t)check_random() >> 7) * 0x1p-23f;
}

static float tie(void)
{
    static const float values[] = {-1, -0.0f, 0, 1, 2};
    return values[check_random() % 5];
}

/* Bits rather than numbers: a NaN's payload and a signalling NaN survive. */
static uint32_t special(void)
{
    static const uint32_t bits[] = {
        0x7fc00000, 0xffc00001, 0x7fdeadbe, 0x7f800001, /* NaN; the last one signalling */
        0x7f800000, 0xff800000,                         /* infinities */
        0x00000000, 0x80000000,                         /* zeros */
        0x00000001, 0x807fffff,                         /* denormals */
        0x00800000, 0x7f7fffff, 0xff7fffff,             /* smallest normal, largest */
    };
    const uint32_t r = check_random();
    return r & 1 ? check_bits(tie()) : bits[(r >> 1) % (sizeof bits / sizeof *bits)];
}

void check_fill(float *p, int64_t n, enum check_fill fill)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = fill == CHECK_PLAIN  ? check_bits(plain())
                              : fill == CHECK_TIES ? check_bits(tie())
                                                   : special();
        memcpy(&p[i], &bits, sizeof bits);
    }
}

/* ---- memory ---- */

enum { CANARY = 0xa5, MARGIN = 128 };

/* Pages for `bytes` and two margins, between two that cannot be accessed. */
static void make_room(struct check_memory *memory, size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t room_bytes = (bytes + 2 * MARGIN + page - 1) / page * page;

    if (memory->room) munmap(memory->room - page, memory->room_bytes + 2 * page);
    unsigned char *all = mmap(NULL, room_bytes + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all, page, PROT_NONE) || mprotect(all + page + room_bytes, page, PROT_NONE)) {
        perror("check_place");
        exit(1);
    }
    memory->room = all + page;
    memory->room_bytes = room_bytes;
}

/* The parts of the room just before and just after the data. */
static size_t before(const struct check_memory *memory)
{
    const size_t bytes = (size_t)(memory->data - memory->room);
    return bytes < MARGIN ? bytes : MARGIN;
}

static size_t after(const struct check_memory *memory)
{
    const size_t bytes = (size_t)(memory->room + memory->room_bytes - memory->data) - memory->bytes;
    return bytes < MARGIN ? bytes : MARGIN;
}

void *check_place(struct check_memory *memory, size_t bytes, size_t element, enum check_place place)
{
    if (memory->room_bytes < bytes + 2 * MARGIN) make_room(memory, bytes < 8192 ? 8192 : 2 * bytes);

    unsigned char *data = memory->room;
    if (place == CHECK_AT_END) data += memory->room_bytes - bytes;
    if (place == CHECK_IN_MIDDLE) data += 64 + element * (2 * (check_random() % 4) + 1);
    memory->data = data;
    memory->bytes = bytes;
    memset(data - before(memory), CANARY, before(memory) + bytes + after(memory));
    return data;
}

int check_margins(const struct check_memory *memory)
{
    for (size_t i = 1; i <= before(memory); i++)
        if (memory->data[-(ptrdiff_t)i] != CANARY) return 0;
    for (size_t i = 0; i < after(memory); i++)
        if (memory->data[memory->bytes + i] != CANARY) return 0;
    return 1;
}

/* ---- comparison ---- */

int64_t check_first_difference(const float *got, const float *want, int64_t n, int any_nan)
{
    for (int64_t i = 0; i < n; i++) {
        if (check_bits(got[i]) == check_bits(want[i])) continue;
        if (!any_nan || !isnan(got[i]) || !isnan(want[i])) return i;
    }
    return -1;
}

double check_max_error(const float *got, const double *want, int64_t n, int64_t *where)
{
    double worst = 0;
    int64_t at = -1;

    for (int64_t i = 0; i < n; i++) {
        double error = fabs(got[i] - want[i]);
        if ((isnan(got[i]) && isnan(want[i])) || (double)got[i] == want[i]) error = 0;
        if (isnan(error)) error = INFINITY;
        if (error > worst || at < 0) {
            worst = error;
            at = i;
        }
    }
    if (where) *where = at;
    return worst;
}
