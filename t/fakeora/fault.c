/* fault.c: faults ordered by a control file, and the trace. README has the orders.
 * The file is read at each call, and rewritten under its lock when an order was taken: it is shared
 * by all processes of a test. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "t/fakeora/fakeora.h"

#define ORDERS_MAX 16384

struct order {
    char what[16];
    long value, skip, times;
    char match[200];
};

/* "before 3113 skip=2 times=1 match=ls_log": match takes the rest of the line. */
static bool order_read(const char *line, struct order *o)
{
    const char *p;
    int used = 0;

    *o = (struct order){.times = 1};
    if (sscanf(line, "%15s %ld%n", o->what, &o->value, &used) != 2)
        return false;
    p = strstr(line + used, "skip=");
    o->skip = p ? atol(p + 5) : 0;
    p = strstr(line + used, "times=");
    o->times = p ? atol(p + 6) : 1;
    p = strstr(line + used, "match=");
    snprintf(o->match, sizeof(o->match), "%s", p ? p + 6 : "");
    return true;
}

static void order_write(const struct order *o, char *out, size_t size)
{
    const size_t len = strlen(out);

    snprintf(out + len, size - len, "%s %ld skip=%ld times=%ld%s%s\n", o->what, o->value, o->skip,
             o->times, *o->match ? " match=" : "", o->match);
}

static void order_do(const struct order *o, struct fault *f)
{
    if (strcmp(o->what, "before") == 0)
        f->before = (int)o->value;
    else if (strcmp(o->what, "after") == 0)
        f->after = (int)o->value;
    else if (strcmp(o->what, "delay") == 0)
        f->delay_ms += o->value;
    else
        fprintf(stderr, "fakeora: no fault '%s'\n", o->what);
}

/* Runs the orders over one text; what is left of them goes to `left`. */
static void orders_run(char *orders, const char *text, char *left, size_t size, struct fault *f)
{
    char *save = NULL;

    for (char *line = strtok_r(orders, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct order o;
        if (!order_read(line, &o)) {
            fprintf(stderr, "fakeora: no order: %s\n", line);
            continue;
        }
        if (strcasestr(text, o.match)) {
            if (o.skip > 0) {
                o.skip--;
            } else if (o.times != 0) {
                order_do(&o, f);
                o.times -= o.times > 0;
            }
        }
        if (o.times != 0) /* negative: without end */
            order_write(&o, left, size);
    }
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000};

    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

struct fault fault_take(const char *text)
{
    const char *path = getenv("FAKEORA_FAULTS");
    struct fault f = {0};
    struct stat st;

    if (!path || stat(path, &st) != 0 || st.st_size == 0)
        return f;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return f;
    char *orders = calloc(1, ORDERS_MAX), *left = calloc(1, 2 * ORDERS_MAX);
    if (orders && left && flock(fd, LOCK_EX) == 0 && pread(fd, orders, ORDERS_MAX - 1, 0) > 0) {
        orders_run(orders, text, left, 2 * ORDERS_MAX, &f);
        if (ftruncate(fd, 0) != 0 || pwrite(fd, left, strlen(left), 0) != (ssize_t)strlen(left))
            fprintf(stderr, "fakeora: %s: %s\n", path, strerror(errno));
    }
    close(fd);
    free(orders);
    free(left);
    if (f.delay_ms > 0)
        sleep_ms(f.delay_ms);
    return f;
}

/* ---- the trace ---- */

#define SEEN_MAX 4096 /* texts of one process; a catalogue has some hundred */

static pthread_mutex_t seen_mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t seen[SEEN_MAX];

static bool is_new(uint64_t hash)
{
    size_t i = hash % SEEN_MAX;
    bool is;

    pthread_mutex_lock(&seen_mutex);
    for (size_t n = 0; n < SEEN_MAX && seen[i] != 0 && seen[i] != hash; n++)
        i = (i + 1) % SEEN_MAX;
    is = seen[i] != hash;
    if (is && seen[i] == 0)
        seen[i] = hash;
    pthread_mutex_unlock(&seen_mutex);
    return is;
}

/* One line a text, white space made one space; each text once per process. */
void trace_text(char kind, const char *text)
{
    const char *path = getenv("FAKEORA_TRACE");
    uint64_t hash = 14695981039346656037u ^ (uint64_t)(unsigned char)kind;
    size_t n = 0;

    if (!path || !*path)
        return;
    char *line = malloc(strlen(text) + 4);
    if (!line)
        return;
    line[n++] = kind;
    line[n++] = '\t';
    for (const char *p = text; *p; p++) {
        const char ch = *p == '\n' || *p == '\t' || *p == '\r' ? ' ' : *p;
        if (ch != ' ' || (n > 2 && line[n - 1] != ' '))
            line[n++] = ch;
        hash = (hash ^ (unsigned char)ch) * 1099511628211u;
    }
    while (n > 2 && line[n - 1] == ' ')
        n--;
    line[n++] = '\n';
    if (is_new(hash ? hash : 1)) {
        const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0 || write(fd, line, n) != (ssize_t)n)
            fprintf(stderr, "fakeora: %s: %s\n", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    free(line);
}
