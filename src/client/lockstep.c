/* lockstep.c: the public library, thin over client.h. What it exports begins with lockstep_. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lockstep/lockstep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/thread.h"
#include "client/client.h"
#include "client/pem.h"
#include "crypto/delegation.h"
#include "crypto/keyring.h"
#include "rpc/loop.h"
#include "rpc/tls.h"
#include "wire/event.h"
#include "wire/submission.h"

#define SEQUENCER_KEYS_MAX 20
#define CONTENT_MAX        ((size_t)8 << 20)

struct lockstep {
    struct rpc_loop *loop;
    struct keyring *keys;
    struct client *client;
    char member[MEMBER_TEXT_SIZE];
    struct public_key *sequencer_keys[SEQUENCER_KEYS_MAX];
    size_t n_sequencer_keys;
    lockstep_event_fn *fn;
    void *context;
};

static _Thread_local char last_error[600];

static int fail(const struct error *err)
{
    error_format(err, last_error, sizeof(last_error));
    if (err->code == ERR_MEMORY)
        return LOCKSTEP_NO_MEMORY;
    if (err->code == ERR_CLOSED)
        return LOCKSTEP_CLOSED;
    if (err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_OVERLOADED)
        return LOCKSTEP_UNAVAILABLE;
    if (err->code == ERR_REFUSED)
        return LOCKSTEP_REFUSED;
    return LOCKSTEP_INVALID;
}

static int invalid(const char *text)
{
    snprintf(last_error, sizeof(last_error), "%s", text);
    return LOCKSTEP_INVALID;
}

const char *lockstep_error(const struct lockstep *ls)
{
    (void)ls;
    return last_error;
}

const char *lockstep_version(void)
{
    return PACKAGE_VERSION;
}

/* --- keys --- */

static bool usage_mask(const char *usage, unsigned *mask, struct error *err)
{
    if (!*usage)
        *mask = USAGE_SEQUENCER_AUTH | USAGE_PROTOCOL | USAGE_PROOF;
    else if (!strcmp(usage, "authentication"))
        *mask = USAGE_SEQUENCER_AUTH | USAGE_PROOF;
    else if (!strcmp(usage, "protocol"))
        *mask = USAGE_PROTOCOL | USAGE_PROOF;
    else
        return error_set(err, ERR_CONFIG, "write authentication or protocol",
                         "unknown usage \"%s\"", usage);
    return true;
}

/* A PKCS#8 block tells its kind only to who tries it. */
static bool add_private(struct keyring *keys, const struct pem_block *b, struct error *err)
{
    static const int specs[] = {SIGNING_ED25519, SIGNING_P256, SIGNING_P384, SIGNING_SECP256K1};
    struct private_key *k = NULL;
    unsigned usages = 0;
    bool ok = false;

    if (!usage_mask(b->usage, &usages, err))
        return false;
    for (size_t i = 0; !ok && i < sizeof(specs) / sizeof(*specs); i++)
        ok = private_key_from_pkcs8(KEY_SIGNING, specs[i], usages, buffer_bytes(&b->data), &k, err);
    ok = ok && keyring_add(keys, k, err);
    private_key_unref(k);
    return ok;
}

static bool add_public(struct lockstep *ls, const struct pem_block *b, struct error *err)
{
    static const int specs[] = {SIGNING_ED25519, SIGNING_P256, SIGNING_P384, SIGNING_SECP256K1};
    bool ok = false;

    if (ls->n_sequencer_keys == SEQUENCER_KEYS_MAX)
        return error_set(err, ERR_LIMIT, NULL, "more than %d sequencer keys", SEQUENCER_KEYS_MAX);
    for (size_t i = 0; !ok && i < sizeof(specs) / sizeof(*specs); i++)
        ok = public_key_parse(KEY_SIGNING, KEY_FORMAT_SPKI, specs[i], USAGE_PROTOCOL | USAGE_PROOF,
                              buffer_bytes(&b->data), &ls->sequencer_keys[ls->n_sequencer_keys],
                              err);
    ls->n_sequencer_keys += ok;
    return ok;
}

static bool read_keys(struct lockstep *ls, const char *path, bool is_private, struct error *err)
{
    struct buffer text = BUFFER_INIT;
    struct pem_block b = {0};
    bool found = true, ok = pem_read_file(path, &text, err);
    size_t at = 0, n = 0;

    while (ok && found) {
        ok = pem_next(buffer_bytes(&text), &at, &b, &found, err);
        if (ok && found && !strcmp(b.label, is_private ? "PRIVATE KEY" : "PUBLIC KEY")) {
            ok = is_private ? add_private(ls->keys, &b, err) : add_public(ls, &b, err);
            n++;
        }
        buffer_wipe(&b.data);
    }
    buffer_wipe(&text);
    if (ok && !n)
        ok = error_set(err, ERR_CONFIG, NULL, "there is no such key in it");
    return ok || error_add(err, "%.200s", path);
}

/* --- life --- */

static bool open_client(struct lockstep *ls, const struct lockstep_options *o, struct error *err)
{
    struct rpc_tls_client tls = {.trust_file = o->trust_file};
    struct client_config cfg = {.endpoints = o->endpoints,
                                .n_endpoints = o->n_endpoints,
                                .tls = &tls,
                                .member = ls->member,
                                .psid = o->synchronizer,
                                .keys = ls->keys,
                                .call_timeout_us = o->timeout_us};

    if (!member_parse(o->member, NULL, NULL, err) || !keyring_open(&ls->keys, err) ||
        !read_keys(ls, o->key_file, true, err) ||
        (o->sequencer_key_file && !read_keys(ls, o->sequencer_key_file, false, err)) ||
        !rpc_loop_open(1, NULL, &ls->loop, err))
        return false;
    snprintf(ls->member, sizeof(ls->member), "%s", o->member);
    cfg.keys = ls->keys;
    cfg.loop = ls->loop;
    return client_open(&cfg, &ls->client, err);
}

int lockstep_connect(const struct lockstep_options *options, int64_t wait_us, struct lockstep **out)
{
    struct client_info info = {0};
    struct lockstep *ls;
    struct error err;

    *out = NULL;
    if (!options->member || !options->key_file || !options->endpoints)
        return invalid("endpoints, member and key_file are needed");
    ls = calloc(1, sizeof(*ls));
    if (!ls)
        return LOCKSTEP_NO_MEMORY;
    if (!open_client(ls, options, &err)) {
        lockstep_close(ls);
        int how = fail(&err);
        return how == LOCKSTEP_UNAVAILABLE ? LOCKSTEP_INVALID : how;
    }
    client_login(ls->client);
    *out = ls;
    if (wait_us <= 0)
        return LOCKSTEP_OK;
    if (!client_wait_info(ls->client, clock_mono_us() + wait_us, &info, &err)) {
        fail(&err);
        return LOCKSTEP_UNAVAILABLE;
    }
    buffer_free(&info.static_params);
    return LOCKSTEP_OK;
}

void lockstep_close(struct lockstep *ls)
{
    if (!ls)
        return;
    client_close(ls->client);
    rpc_loop_close(ls->loop);
    keyring_close(ls->keys);
    for (size_t i = 0; i < ls->n_sequencer_keys; i++)
        public_key_unref(ls->sequencer_keys[i]);
    free(ls);
}

/* --- sending --- */

/* A send that its caller waits for. */
struct waiting {
    struct mutex m;
    struct cond c;
    bool is_done;
    enum client_send_result result;
    struct error err;
};

static void on_accepted(void *ctx, const struct client_send_report *r)
{
    struct waiting *w = ctx;

    mutex_lock(&w->m);
    w->result = r->result;
    if (r->error)
        w->err = *r->error;
    w->is_done = true;
    cond_signal(&w->c);
    mutex_unlock(&w->m);
}

static bool make_message(struct lockstep *ls, const char *const *recipients, size_t n,
                         struct bytes content, const char *id, int64_t max_us,
                         struct submission *out, struct error *err)
{
    struct recipients r = {0};
    struct batch b = {0};
    bool ok = recipients_add(&r, 0, recipients, n, err);

    ok = ok && batch_add(&b, content, NULL, 0, &r, err);
    if (!ok)
        recipients_free(&r);
    out->sender = strdup(ls->member);
    out->message_id = strdup(id);
    out->max_sequencing_time = max_us;
    out->rule.kind = AGGREGATION_DEDUP;
    if (ok && (!out->sender || !out->message_id))
        ok = error_set(err, ERR_MEMORY, NULL, "no memory for a message");
    ok = ok && batch_seal(&b, &out->batch, err) && submission_build(out, err);
    batch_free(&b);
    return ok;
}

static int await(struct waiting *w)
{
    mutex_lock(&w->m);
    while (!w->is_done)
        cond_wait(&w->c, &w->m);
    mutex_unlock(&w->m);
    switch (w->result) {
    case CLIENT_SEND_ACCEPTED:
    case CLIENT_SEND_SEQUENCED:
        return LOCKSTEP_OK;
    case CLIENT_SEND_REFUSED:
    case CLIENT_SEND_REJECTED:
        fail(&w->err);
        return w->err.code == ERR_TIMEOUT || w->err.code == ERR_UNAVAILABLE ? LOCKSTEP_UNAVAILABLE
                                                                            : LOCKSTEP_REFUSED;
    case CLIENT_SEND_CLOSED:
        /* It may have been on its way. */
    case CLIENT_SEND_UNKNOWN:
    case CLIENT_SEND_EXPIRED:
        break;
    }
    fail(&w->err);
    return LOCKSTEP_UNKNOWN;
}

int lockstep_send(struct lockstep *ls, const char *const *recipients, size_t n_recipients,
                  const void *content, size_t len, int64_t timeout_us, char *message_id)
{
    struct submission s = {0};
    struct waiting w = {0};
    char id[UUID_TEXT_LEN];
    struct error err;
    int how;

    if (!len || len > CONTENT_MAX || !n_recipients || timeout_us <= 0)
        return invalid("1 byte to 8 MiB, at least one recipient and a timeout are needed");
    random_uuid(id);
    if (message_id)
        memcpy(message_id, id, sizeof(id));
    mutex_init(&w.m);
    cond_init(&w.c);
    int64_t max_us = clock_now_us() + timeout_us;
    bool ok =
        make_message(ls, recipients, n_recipients, bytes_of(content, len), id, max_us, &s, &err);
    if (ok) {
        struct client_send in = {.request = buffer_bytes(&s.raw),
                                 .message_id = id,
                                 .max_sequencing_us = max_us,
                                 .is_repeatable = true,
                                 .accepted = on_accepted,
                                 .ctx = &w};
        ok = client_send(ls->client, &in, &err);
    }
    how = ok ? await(&w) : fail(&err);
    submission_free(&s);
    cond_destroy(&w.c);
    mutex_destroy(&w.m);
    return how;
}

/* --- the stream --- */

static bool own_synchronizer(struct lockstep *ls, char out[UID_TEXT_SIZE], struct error *err)
{
    struct client_info info = {0};

    if (!client_wait_info(ls->client, clock_mono_us(), &info, err))
        return false;
    buffer_free(&info.static_params);
    return psid_logical(info.psid, out, err);
}

static bool on_verify(void *ctx, int64_t ts, const struct hash *h, const struct signature *s,
                      struct error *err)
{
    struct lockstep *ls = ctx;
    char synchronizer[UID_TEXT_SIZE] = "";
    struct signing_scope at = {
        .policy = &crypto_policy_default, .synchronizer = synchronizer, .ts = ts};

    if (s->delegation && !own_synchronizer(ls, synchronizer, err))
        return false;
    for (size_t i = 0; i < ls->n_sequencer_keys; i++) {
        if (signature_verify_at(&at, ls->sequencer_keys[i], USAGE_PROTOCOL, h, s, err))
            return true;
    }
    return false;
}

/* The contents of e as arrays. The caller frees both and the batch. */
static bool open_contents(const struct event *e, struct batch *b, const void ***content,
                          size_t **len, struct error *err)
{
    *content = NULL;
    *len = NULL;
    if (e->is_error || !e->batch.n)
        return true;
    if (!batch_open(&e->batch, BATCH_LIMIT, b, err))
        return false;
    *content = calloc(b->n, sizeof(**content));
    *len = calloc(b->n, sizeof(**len));
    if (!*content || !*len)
        return error_set(err, ERR_MEMORY, NULL, "no memory for an event");
    for (size_t i = 0; i < b->n; i++) {
        (*content)[i] = b->envelopes[i].content.data;
        (*len)[i] = b->envelopes[i].content.len;
    }
    return true;
}

static bool on_event(void *ctx, const struct client_event *e, struct error *err)
{
    struct lockstep *ls = ctx;
    struct batch b = {0};
    const void **content;
    size_t *len;
    char *reason = e->event->is_error ? wire_status_reason(&e->event->status) : NULL;
    bool ok = open_contents(e->event, &b, &content, &len, err);

    if (ok) {
        struct lockstep_event ev = {.timestamp = e->ts,
                                    .message_id = e->event->message_id,
                                    .n_contents = b.n,
                                    .content = content,
                                    .content_len = len};
        if (e->event->is_error)
            ev.error = reason ? reason : "refused";
        memcpy(ev.hash, e->hash.b, sizeof(ev.hash));
        ok = !ls->fn(ls->context, &ev) ||
             error_set(err, ERR_CLOSED, NULL, "the event callback asked to stop");
    }
    free(reason);
    free(content);
    free(len);
    batch_free(&b);
    return ok;
}

int lockstep_subscribe(struct lockstep *ls, const int64_t *after, const uint8_t hash[34],
                       lockstep_event_fn *fn, void *context)
{
    struct client_callbacks cb = {.ctx = ls, .event = on_event};
    struct client_position from = {.is_set = after};
    struct error err;

    if (after && !hash)
        return invalid("a position needs the hash of its event");
    if (after) {
        from.ts = *after;
        memcpy(from.hash.b, hash, sizeof(from.hash.b));
    }
    if (ls->n_sequencer_keys)
        cb.verify = on_verify;
    if (ls->fn || !fn)
        return invalid("one subscription with a callback, once");
    ls->fn = fn;
    ls->context = context;
    return client_subscribe(ls->client, &from, &cb, &err) ? LOCKSTEP_OK : fail(&err);
}

int lockstep_ack(struct lockstep *ls, int64_t timestamp)
{
    struct error err;

    return client_ack(ls->client, timestamp, &err) ? LOCKSTEP_OK : fail(&err);
}

enum lockstep_state lockstep_state(struct lockstep *ls, char *text, size_t text_size)
{
    struct client_status st;

    client_status(ls->client, &st);
    if (text && text_size)
        snprintf(text, text_size, "%s",
                 st.state.kind == CLIENT_CONNECTED ? st.state.endpoint : st.state.reason);
    if (st.state.kind == CLIENT_CONNECTED)
        return LOCKSTEP_CONNECTED;
    return st.state.kind == CLIENT_FAILED ? LOCKSTEP_FAILED : LOCKSTEP_DISCONNECTED;
}
