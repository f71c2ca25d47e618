/* bench_rpc.c: the floor of one call, and what a server costs at rest. The server is a process of
 * its own. bench_rpc [seconds] Prints "name value unit" lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "rpc/client.h"
#include "rpc/server.h"

#define OUTSTANDING 64
#define SAMPLES_MAX 2000000
#define PAYLOAD     512

static int die(const struct error *err)
{
    char text[700];

    error_format(err, text, sizeof(text));
    fprintf(stderr, "bench_rpc: %s\n", text);
    return 1;
}

static void echo(void *ctx, struct rpc_call *call)
{
    (void)ctx;
    rpc_call_reply(call, rpc_call_request(call));
}

/* Writes its port, serves until stdin closes. */
static int serve(int port_fd, int stop_fd)
{
    struct rpc_method m = {.path = "/bench.S/Echo", .kind = RPC_UNARY, .handler = echo};
    struct rpc_server *s;
    struct rpc_loop *loop;
    struct error err;
    char c;
    int port;

    if (!rpc_loop_open(1, NULL, &loop, &err) || !rpc_server_open(loop, NULL, NULL, &s, &err) ||
        !rpc_server_register(s, &m, &err) ||
        !rpc_server_listen(s, "127.0.0.1", 0, NULL, &port, &err) || !rpc_server_start(s, &err))
        return die(&err);
    if (write(port_fd, &port, sizeof(port)) != sizeof(port) || read(stop_fd, &c, 1) < 0)
        return 1;
    rpc_server_close(s);
    rpc_loop_close(loop);
    return 0;
}

static void print_status(pid_t pid, const char *when)
{
    char path[64], line[256];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "RssAnon:", 8) == 0)
            printf("server_%s_%.*s %ld KiB\n", when, (int)strcspn(line, ":"), line,
                   strtol(strchr(line, ':') + 1, NULL, 10));
        if (strncmp(line, "Threads:", 8) == 0)
            printf("server_%s_threads %ld threads\n", when, strtol(line + 8, NULL, 10));
    }
    if (f != NULL)
        fclose(f);
}

static int compare(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void print_figures(const char *name, int32_t *us, size_t n, int64_t elapsed_us)
{
    if (n == 0)
        return;
    qsort(us, n, sizeof(*us), compare);
    printf("%s_rate %.0f calls/s\n", name, (double)n * 1e6 / (double)elapsed_us);
    printf("%s_mean %.1f us\n", name, (double)elapsed_us / (double)n);
    printf("%s_p50 %d us\n", name, us[n / 2]);
    printf("%s_p99 %d us\n", name, us[n * 99 / 100]);
}

static const uint8_t payload[PAYLOAD];
static struct rpc_request request(void)
{
    return (struct rpc_request){.method = "/bench.S/Echo",
                                .message = bytes_of(payload, sizeof(payload)),
                                .timeout_us = 10 * US_PER_S,
                                .wait_for_ready = true};
}

static bool run_blocking(struct rpc_channel *ch, int64_t us_total, int32_t *us, struct error *err)
{
    struct rpc_request rq = request();
    int64_t start = clock_mono_us(), t = start;
    size_t n = 0;

    while (t - start < us_total && n < SAMPLES_MAX) {
        struct rpc_result *r;
        int64_t end;
        bool ok;

        if (!rpc_unary_wait(ch, &rq, &r, err))
            return false;
        ok = rpc_result_ok(r, rq.method, err);
        rpc_result_free(r);
        if (!ok)
            return false;
        end = clock_mono_us();
        us[n++] = (int32_t)(end - t);
        t = end;
    }
    print_figures("blocking", us, n, t - start);
    return true;
}

/* OUTSTANDING calls, each of which starts the next. */
struct flow {
    struct rpc_channel *ch;
    struct mutex m;
    struct cond c;
    int running;
    int64_t until, started[OUTSTANDING];
    int32_t *us;
    size_t n;
    bool is_broken;
    struct lane {
        struct flow *f;
        int i;
    } lane[OUTSTANDING];
};

static void lane_next(struct lane *l);

static void lane_done(void *ctx, const struct rpc_result *r)
{
    struct lane *l = ctx;
    struct flow *f = l->f;
    int64_t now = clock_mono_us();

    mutex_lock(&f->m);
    if (f->n < SAMPLES_MAX)
        f->us[f->n++] = (int32_t)(now - f->started[l->i]);
    f->is_broken = f->is_broken || r->code != RPC_OK;
    mutex_unlock(&f->m);
    lane_next(l);
}

static void lane_next(struct lane *l)
{
    struct rpc_request rq = request();
    struct flow *f = l->f;
    struct error err;
    int64_t now = clock_mono_us();

    f->started[l->i] = now;
    if (now < f->until && rpc_unary(f->ch, &rq, lane_done, l, NULL, &err))
        return;
    mutex_lock(&f->m);
    f->running--;
    cond_signal(&f->c);
    mutex_unlock(&f->m);
}

static bool run_flow(struct rpc_channel *ch, int64_t us_total, int32_t *us, struct error *err)
{
    struct flow f = {.ch = ch, .us = us, .running = OUTSTANDING};
    int64_t start = clock_mono_us();

    mutex_init(&f.m);
    cond_init(&f.c);
    f.until = start + us_total;
    for (int i = 0; i < OUTSTANDING; i++) {
        f.lane[i] = (struct lane){&f, i};
        lane_next(&f.lane[i]);
    }
    mutex_lock(&f.m);
    while (f.running > 0)
        cond_wait(&f.c, &f.m);
    mutex_unlock(&f.m);
    print_figures("outstanding_64", us, f.n, clock_mono_us() - start);
    cond_destroy(&f.c);
    mutex_destroy(&f.m);
    return !f.is_broken || error_set(err, ERR_IO, NULL, "a call failed");
}

static int measure(pid_t pid, int port, int64_t us_total)
{
    struct rpc_channel_config config = {0};
    struct rpc_channel *ch;
    struct rpc_loop *loop;
    struct error err;
    char endpoint[64];
    int32_t *us = calloc(SAMPLES_MAX, sizeof(*us));
    bool ok;

    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", port);
    config.endpoint = endpoint;
    print_status(pid, "fresh");
    if (us == NULL || !rpc_loop_open(1, NULL, &loop, &err) ||
        !rpc_channel_open(loop, &config, NULL, NULL, &ch, &err))
        return die(&err);
    ok = rpc_channel_wait_ready(ch, 10 * US_PER_S, &err) &&
         run_blocking(ch, us_total / 10, us, &err) && run_blocking(ch, us_total, us, &err) &&
         run_flow(ch, us_total, us, &err);
    print_status(pid, "used");
    rpc_channel_close(ch);
    rpc_loop_close(loop);
    free(us);
    return ok ? 0 : die(&err);
}

int main(int argc, char **argv)
{
    int64_t us_total = (argc > 1 ? strtol(argv[1], NULL, 10) : 2) * US_PER_S;
    int port_pipe[2], stop_pipe[2], port, rc = 1, status;
    pid_t pid;

    if (us_total <= 0 || pipe(port_pipe) != 0 || pipe(stop_pipe) != 0 || (pid = fork()) < 0)
        return 1;
    if (pid == 0) {
        close(stop_pipe[1]);
        _exit(serve(port_pipe[1], stop_pipe[0]));
    }
    close(port_pipe[1]);
    if (read(port_pipe[0], &port, sizeof(port)) == sizeof(port))
        rc = measure(pid, port, us_total);
    close(stop_pipe[1]);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        rc = 1;
    return rc;
}
