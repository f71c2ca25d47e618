#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void clock_format(int64_t us, char *out)
{
    int64_t s = us / US_PER_S, rest = us % US_PER_S;
    struct tm tm;
    time_t t;

    if (rest < 0) {
        rest += US_PER_S;
        s--;
    }
    t = (time_t)s;
    gmtime_r(&t, &tm);
    snprintf(out, CLOCK_TEXT_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
             (unsigned)(tm.tm_year + 1900) % 10000U, (unsigned)(tm.tm_mon + 1) % 100U,
             (unsigned)tm.tm_mday % 100U, (unsigned)tm.tm_hour % 100U, (unsigned)tm.tm_min % 100U,
             (unsigned)tm.tm_sec % 100U, (unsigned)rest % 1000000U);
}

bool clock_parse(const char *text, int64_t *us)
{
    struct tm tm = {0};
    const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t unit = US_PER_S / 10, rest = 0;

    if (p != NULL && *p == '.')
        for (p++; *p >= '0' && *p <= '9' && unit > 0; p++, unit /= 10)
            rest += (*p - '0') * unit;
    if (p == NULL || strcmp(p, "Z") != 0)
        return false;
    *us = (int64_t)timegm(&tm) * US_PER_S + rest;
    return true;
}
