/* cmd_bench.c: `lockstep bench`: what a synchronizer carries, driven through participants' APIs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/bench_load.h"
#include "cli/cli.h"

enum { PIDS_MAX = 32, ENDPOINT_MAX = 300 };

/* --- processes ---------------------------------------------------------------------------------
 */

struct process {
    long pid;
    double cpu_s; /* at the start; then what was used */
    double rss_mib, peak_mib;
    bool is_there;
};

/* Processor seconds of pid so far; false when it is gone. */
static bool read_cpu(long pid, double *out)
{
    char path[64], text[1024];
    unsigned long user, system;
    bool ok = false;

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    const char *rest = strrchr(text, ')'); /* the name may hold anything */
    if (rest && sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                       &system) == 2) {
        *out = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
        ok = true;
    }
    fclose(f);
    return ok;
}

static void read_memory(struct process *p)
{
    char path[64], line[256];
    long kib;

    snprintf(path, sizeof(path), "/proc/%ld/status", p->pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            p->rss_mib = (double)kib / 1024;
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            p->peak_mib = (double)kib / 1024;
    }
    if (f)
        fclose(f);
}

static bool processes_start(struct cli *cli, struct process *list, size_t *n, struct error *err)
{
    const char *v;

    for (*n = 0; (v = cli_value_at(cli, "pid", *n)) != NULL; (*n)++) {
        char *end;
        if (*n == PIDS_MAX)
            return error_set(err, ERR_LIMIT, NULL, "more than %d processes", PIDS_MAX);
        list[*n] = (struct process){.pid = strtol(v, &end, 10), .is_there = true};
        if (*end != '\0' || list[*n].pid <= 0 || !read_cpu(list[*n].pid, &list[*n].cpu_s))
            return error_set(err, ERR_NOT_FOUND, NULL, "there is no process %s", v);
    }
    return true;
}

static json_t *processes_end(struct process *list, size_t n, double elapsed_s)
{
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++) {
        struct process *p = &list[i];
        double now = p->cpu_s;
        p->is_there = read_cpu(p->pid, &now);
        read_memory(p);
        json_array_append_new(all,
                              json_pack("{s:I, s:b, s:f, s:f, s:f}", "pid", (json_int_t)p->pid,
                                        "alive", (int)p->is_there, "cpu_percent",
                                        elapsed_s > 0 ? 100 * (now - p->cpu_s) / elapsed_s : 0.0,
                                        "rss_mib", p->rss_mib, "rss_peak_mib", p->peak_mib));
    }
    return all;
}

/* --- progress ----------------------------------------------------------------------------------
 */

struct progress {
    FILE *to;
    bool is_terminal;
    int64_t duration_us;
    uint64_t committed; /* at the last line */
    int64_t at_us;
    int n_lines;
};

static void on_progress(void *ctx, const struct load_count *c, int64_t elapsed_us)
{
    struct progress *p = ctx;
    double seconds = (double)(elapsed_us - p->at_us) / 1e6;

    if (!p->is_terminal && elapsed_us - p->at_us < 10 * US_PER_S)
        return;
    fprintf(
        p->to, "%s%4.0f s of %.0f: %.0f committed/s, %llu in flight, %llu failed%s",
        p->is_terminal ? "\r\033[K" : "", (double)elapsed_us / 1e6, (double)p->duration_us / 1e6,
        seconds > 0 ? (double)(c->committed - p->committed) / seconds : 0.0,
        (unsigned long long)c->open, (unsigned long long)(c->failed + c->rejected + c->timed_out),
        p->is_terminal ? "" : "\n");
    fflush(p->to);
    p->committed = c->committed;
    p->at_us = elapsed_us;
    p->n_lines++;
}

/* --- the command -------------------------------------------------------------------------------
 */

struct endpoints {
    char text[LOAD_PARTICIPANTS_MAX][ENDPOINT_MAX];
    const char *list[LOAD_PARTICIPANTS_MAX];
    size_t n;
};

/* Adds the comma-separated endpoints of one --participants. */
static bool add_endpoints(struct endpoints *e, const char *text, bool is_tls, struct error *err)
{
    while (*text) {
        size_t len = strcspn(text, ",");
        if (e->n == LOAD_PARTICIPANTS_MAX)
            return error_set(err, ERR_LIMIT, NULL, "more than %d participants",
                             LOAD_PARTICIPANTS_MAX);
        if (len == 0 || len > ENDPOINT_MAX - 10)
            return error_set(err, ERR_CONFIG, NULL, "--participants: not a host and port: %.100s",
                             text);
        bool has_scheme = memmem(text, len, "://", 3) != NULL;
        snprintf(e->text[e->n], ENDPOINT_MAX, "%s%.*s",
                 has_scheme ? ""
                 : is_tls   ? "https://"
                            : "http://",
                 (int)len, text);
        e->list[e->n] = e->text[e->n];
        e->n++;
        text += len + (text[len] == ',');
    }
    return true;
}

static double ms(int64_t us)
{
    return (double)us / 1000.0;
}

static json_t *report(const struct load_config *cfg, const struct load_result *r, json_t *processes)
{
    const struct histogram *h = &r->latency;
    const struct load_count *c = &r->count;
    double seconds = (double)r->elapsed_us / 1e6;
    json_t *o = json_pack(
        "{s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:o}",
        "participants", (json_int_t)cfg->n_endpoints, "informees", (json_int_t)cfg->informees,
        "elapsed_s", seconds, "submitted", (json_int_t)c->submitted, "committed",
        (json_int_t)c->committed, "rejected", (json_int_t)c->rejected, "timed_out",
        (json_int_t)c->timed_out, "failed", (json_int_t)c->failed, "lost", (json_int_t)c->lost,
        "committed_per_s", seconds > 0 ? (double)c->committed / seconds : 0.0, "p50_ms",
        ms(histogram_quantile(h, 0.5)), "p90_ms", ms(histogram_quantile(h, 0.9)), "p99_ms",
        ms(histogram_quantile(h, 0.99)), "max_ms", ms(h->max_us), "mean_ms",
        h->n ? h->sum_us / (double)h->n / 1000.0 : 0.0, "processes", processes);

    if (o && r->first_failure[0])
        json_object_set_new(o, "first_failure", json_string(r->first_failure));
    return o;
}

/* What the options say, into cfg. False: reported. */
static bool read_options(struct cli *cli, struct load_config *cfg)
{
    int64_t informees = cfg->n_endpoints < 2 ? 1 : 2;

    cfg->duration_us = 10 * US_PER_S;
    cfg->drain_us = 120 * US_PER_S;
    cfg->payload = 1024;
    if (!cli_int(cli, "rate", 1, 1000000, &cfg->rate))
        return false;
    cfg->open_max = cfg->rate > 0 ? 10000 : 16;
    if (!cli_int(cli, "concurrency", 1, LOAD_OPEN_MAX, &cfg->open_max) ||
        !cli_int(cli, "informees", 1, (int64_t)cfg->n_endpoints, &informees) ||
        !cli_duration(cli, "duration", 100 * US_PER_MS, 7 * 86400 * US_PER_S, &cfg->duration_us) ||
        !cli_duration(cli, "drain", US_PER_MS, 3600 * US_PER_S, &cfg->drain_us) ||
        !cli_size(cli, "payload", 0, 8 << 20, &cfg->payload))
        return false;
    cfg->informees = (size_t)informees;
    return true;
}

static int bench(struct cli *cli)
{
    static struct endpoints e; /* large */
    struct rpc_tls_client tls = {.trust_file = cli_value(cli, "tls-trust"),
                                 .cert_chain_file = cli_value(cli, "tls-cert"),
                                 .private_key_file = cli_value(cli, "tls-key")};
    bool is_tls = tls.trust_file != NULL || tls.cert_chain_file != NULL;
    struct load_config cfg = {.endpoints = e.list, .tls = is_tls ? &tls : NULL};
    struct load_result *r;
    struct process pids[PIDS_MAX];
    size_t n_pids;
    struct error err;
    const char *v;
    int code;

    e.n = 0;
    for (size_t i = 0; (v = cli_value_at(cli, "participants", i)) != NULL; i++)
        if (!add_endpoints(&e, v, is_tls, &err))
            return cli_fail(cli, &err);
    if (e.n == 0)
        return cli_usage(cli, "--participants is needed");
    cfg.n_endpoints = e.n;
    if (!read_options(cli, &cfg))
        return CLI_USAGE;
    r = calloc(1, sizeof(*r));
    if (r == NULL || !processes_start(cli, pids, &n_pids, &err)) {
        if (r == NULL)
            error_set(&err, ERR_MEMORY, NULL, "no memory");
        free(r);
        return cli_fail(cli, &err);
    }
    struct progress p = {.to = cli_err(cli),
                         .is_terminal = isatty(fileno(cli_err(cli))),
                         .duration_us = cfg.duration_us};
    bool is_long = cfg.duration_us >= 5 * US_PER_S;
    bool ok = load_run(&cfg, cli_logger(cli), is_long ? on_progress : NULL, &p, r, &err);
    if (p.n_lines > 0 && p.is_terminal)
        fputc('\n', p.to);
    if (!ok) {
        free(r);
        return cli_fail(cli, &err);
    }
    code =
        cli_print(cli, report(&cfg, r, processes_end(pids, n_pids, (double)r->elapsed_us / 1e6)));
    if (code == CLI_OK && (r->count.committed == 0 || r->count.committed < r->count.submitted))
        code = CLI_FAILED;
    free(r);
    return code;
}

static const struct cli_option bench_options[] = {
    {"participants", 'p', "HOST:PORT,...",
     "APIs of the participants that submit and confirm; repeatable"},
    {"rate", 'r', "N", "transactions a second; default: as many as --concurrency allows"},
    {"concurrency", 'C', "N", "transactions in flight at most; default 16, with --rate 10000"},
    {"duration", 'd', "DURATION", "how long to submit; default 10s"},
    {"drain", 0, "DURATION", "longest wait for the last outcomes; default 2m"},
    {"payload", 's', "SIZE", "of each transaction; default 1KiB"},
    {"informees", 'i', "N",
     "participants that must confirm each, the submitter among them; default 2"},
    {"pid", 'P', "PID", "a server's process: its processor and memory are reported; repeatable"},
    {"tls-trust", 0, "FILE", "authorities of the servers' certificates, PEM; turns TLS on"},
    {"tls-cert", 0, "FILE", "own certificates, PEM"},
    {"tls-key", 0, "FILE", "their key, PEM"},
    {0},
};
static const struct cli_command bench_commands[] = {
    {"", "", 0, 0, "submit transactions and measure how fast they commit",
     "Latency runs from when a transaction was due until its outcome arrives. Ends with 1 when not "
     "all "
     "committed.",
     bench_options, bench},
    {0},
};
const struct cli_family cmd_bench = {"bench", "measure throughput and latency", bench_commands};
