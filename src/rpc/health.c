/* health.c: names and their status; a list of watchers, each with at most one message on its way.
 * The two messages are so small that they are read and written by hand: rpc/ knows no generated
 * code. Lock order: the lock here, then that of a call. Calls tell their events without holding
 * theirs. */
#include "rpc/health.h"

#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define NAME_MAX_LEN    127
#define WATCHERS_MAX    10000
#define SERVICE_UNKNOWN 3

struct watcher {
    struct watcher *prev, *next;
    struct health *h;
    struct rpc_call *call;
    char name[NAME_MAX_LEN + 1];
    int sent; /* the status last written; -1: none */
    bool is_writing, is_ended;
};

struct health {
    struct mutex lock;
    bool is_shut GUARDED_BY(lock);
    size_t n GUARDED_BY(lock), n_watchers GUARDED_BY(lock);
    struct {
        char name[NAME_MAX_LEN + 1];
        enum health_status status;
    } entry[HEALTH_NAMES_MAX] GUARDED_BY(lock);
    struct watcher *watchers GUARDED_BY(lock);
};

/* ---- the wire: HealthCheckRequest {string service = 1}, HealthCheckResponse {enum status = 1}
 * ---- */

static bool varint_take(struct bytes *b, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 64 && b->len > 0; shift += 7) {
        uint8_t c = *b->data;

        b->data++;
        b->len--;
        *v |= (uint64_t)(c & 0x7f) << shift;
        if ((c & 0x80) == 0)
            return true;
    }
    return false;
}

/* The last field 1 wins, unknown fields are skipped, as protobuf has it. */
static bool request_parse(struct bytes b, char *name)
{
    uint64_t key, v;

    name[0] = '\0';
    while (b.len > 0) {
        if (!varint_take(&b, &key) || key >> 3 == 0)
            return false;
        if ((key & 7) == 0) {
            if (!varint_take(&b, &v))
                return false;
            continue;
        }
        if ((key & 7) == 1)
            v = 8;
        else if ((key & 7) == 5)
            v = 4;
        else if ((key & 7) != 2 || !varint_take(&b, &v))
            return false;
        if (v > b.len)
            return false;
        if (key == (1 << 3 | 2)) {
            if (v > NAME_MAX_LEN || !utf8_valid(bytes_of(b.data, (size_t)v)))
                return false;
            memcpy(name, b.data, (size_t)v);
            name[v] = '\0';
        }
        b.data += v;
        b.len -= (size_t)v;
    }
    return true;
}

/* out holds 2. */
static struct bytes response_make(int status, uint8_t *out)
{
    out[0] = 1 << 3;
    out[1] = (uint8_t)status;
    return bytes_of(out, status == 0 ? 0 : 2);
}

/* ---- names ---- */

static int status_of(const struct health *h, const char *name) REQUIRES(h->lock)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->entry[i].name, name) == 0)
            return h->is_shut ? HEALTH_NOT_SERVING : (int)h->entry[i].status;
    return SERVICE_UNKNOWN;
}

/* Writes the present status when it is news and nothing is on its way. */
static void watcher_tell(struct health *h, struct watcher *w) REQUIRES(h->lock)
{
    int status = status_of(h, w->name);
    uint8_t out[2];

    if (w->is_writing || w->is_ended || status == w->sent)
        return;
    w->sent = status;
    /* False: it is cancelled, and the event for that ends it. */
    w->is_writing = rpc_call_write(w->call, response_make(status, out));
}

static void watcher_end(struct health *h, struct watcher *w, enum rpc_code code, const char *why)
    REQUIRES(h->lock)
{
    (void)h;
    if (w->is_ended)
        return;
    w->is_ended = true;
    rpc_call_refuse(w->call, code, "%s", why);
}

bool health_open(struct health **out, struct error *err)
{
    struct health *h = calloc(1, sizeof(*h));

    if (h == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory for the health service");
    mutex_init(&h->lock);
    h->entry[0].status = HEALTH_NOT_SERVING;
    h->n = 1;
    *out = h;
    return true;
}

static bool set_locked(struct health *h, const char *name, enum health_status status,
                       struct error *err) REQUIRES(h->lock)
{
    size_t i = 0;

    while (i < h->n && strcmp(h->entry[i].name, name) != 0)
        i++;
    if (i == HEALTH_NAMES_MAX || strlen(name) > NAME_MAX_LEN)
        return error_set(err, ERR_LIMIT, NULL, "health: no room for the service name %.40s", name);
    if (i == h->n) {
        memcpy(h->entry[i].name, name, strlen(name) + 1);
        h->n++;
    }
    h->entry[i].status = status;
    for (struct watcher *w = h->watchers; w != NULL; w = w->next)
        watcher_tell(h, w);
    return true;
}

bool health_set(struct health *h, const char *name, enum health_status status, struct error *err)
{
    bool ok;

    mutex_lock(&h->lock);
    ok = set_locked(h, name, status, err);
    mutex_unlock(&h->lock);
    return ok;
}

/* ---- the two methods ---- */

static void check_handler(void *ctx, struct rpc_call *call)
{
    struct health *h = ctx;
    char name[NAME_MAX_LEN + 1];
    uint8_t out[2];
    int status;

    if (!request_parse(rpc_call_request(call), name)) {
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "malformed request");
        return;
    }
    mutex_lock(&h->lock);
    status = status_of(h, name);
    mutex_unlock(&h->lock);
    if (status == SERVICE_UNKNOWN)
        rpc_call_refuse(call, RPC_NOT_FOUND, "unknown service %s", name);
    else
        rpc_call_reply(call, response_make(status, out));
}

static void watcher_written(void *ctx, bool ok)
{
    struct watcher *w = ctx;
    struct health *h = w->h;

    (void)ok; /* gone: the cancellation follows */
    mutex_lock(&h->lock);
    w->is_writing = false;
    watcher_tell(h, w);
    mutex_unlock(&h->lock);
}

static void watcher_cancelled(void *ctx)
{
    struct watcher *w = ctx;
    struct health *h = w->h;

    mutex_lock(&h->lock);
    watcher_end(h, w, RPC_CANCELLED, "cancelled");
    mutex_unlock(&h->lock);
}

static void watcher_done(void *ctx)
{
    struct watcher *w = ctx;
    struct health *h = w->h;

    mutex_lock(&h->lock);
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        h->watchers = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    h->n_watchers--;
    mutex_unlock(&h->lock);
    free(w);
}

static void watch_handler(void *ctx, struct rpc_call *call)
{
    static const struct rpc_call_events ev = {watcher_written, watcher_cancelled, watcher_done};
    struct health *h = ctx;
    struct watcher *w = calloc(1, sizeof(*w));

    if (w == NULL || !request_parse(rpc_call_request(call), w->name)) {
        rpc_call_refuse(call, w == NULL ? RPC_UNAVAILABLE : RPC_INVALID_ARGUMENT,
                        w == NULL ? "no memory" : "malformed request");
        free(w);
        return;
    }
    w->h = h;
    w->call = call;
    w->sent = -1;
    mutex_lock(&h->lock);
    w->next = h->watchers;
    if (h->watchers != NULL)
        h->watchers->prev = w;
    h->watchers = w;
    h->n_watchers++;
    rpc_call_watch(call, &ev, w);
    if (h->is_shut)
        watcher_end(h, w, RPC_UNAVAILABLE, "the server is stopping");
    else if (h->n_watchers > WATCHERS_MAX)
        watcher_end(h, w, RPC_UNAVAILABLE, "too many watchers");
    else
        watcher_tell(h, w);
    mutex_unlock(&h->lock);
}

bool health_register(struct health *h, struct rpc_server *s, struct error *err)
{
    const struct rpc_method check = {.path = "/grpc.health.v1.Health/Check",
                                     .kind = RPC_UNARY,
                                     .handler = check_handler,
                                     .ctx = h,
                                     .max_request = 4096};
    const struct rpc_method watch = {.path = "/grpc.health.v1.Health/Watch",
                                     .kind = RPC_SERVER_STREAM,
                                     .handler = watch_handler,
                                     .ctx = h,
                                     .max_request = 4096};

    return rpc_server_register(s, &check, err) && rpc_server_register(s, &watch, err);
}

void health_shutdown(struct health *h)
{
    mutex_lock(&h->lock);
    h->is_shut = true;
    for (struct watcher *w = h->watchers; w != NULL; w = w->next)
        watcher_end(h, w, RPC_UNAVAILABLE, "the server is stopping");
    mutex_unlock(&h->lock);
}

void health_close(struct health *h)
{
    if (h == NULL)
        return;
    mutex_destroy(&h->lock);
    free(h);
}
