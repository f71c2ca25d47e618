/* service.c: who calls, and how a call is answered. */
#include "sequencer/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sequencer/token.h"
#include "topology/topology.h"
#include "wire/precheck.h"

bool service_register(struct sequencer *seq, struct rpc_server *s, const struct service_method *m,
                      size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct rpc_method method = {.path = m[i].path,
                                    .kind = m[i].kind,
                                    .handler = m[i].handler,
                                    .ctx = seq,
                                    .pool = m[i].is_query ? seq->query : seq->compute};

        if (!rpc_server_register(s, &method, err))
            return false;
    }
    return true;
}

bool service_gate(struct sequencer *seq, struct rpc_call *call)
{
    if (replica_is_serving(seq))
        return true;
    rpc_call_refuse(call, RPC_UNAVAILABLE, "this replica does not serve yet, or is stopping");
    return false;
}

void *service_unpack(struct rpc_call *call, const void *descriptor)
{
    struct error err;
    void *m = wire_unpack(descriptor, rpc_call_request(call), &err);

    if (!m)
        rpc_call_refuse(call, RPC_INVALID_ARGUMENT, "the request does not parse: %s", err.cause);
    return m;
}

void service_reply(struct rpc_call *call, const void *message)
{
    struct buffer out = BUFFER_INIT;
    struct error err;

    if (wire_pack(message, &out, &err))
        rpc_call_reply(call, buffer_bytes(&out));
    else
        rpc_call_refuse(call, RPC_UNAVAILABLE, "%s", err.cause);
    buffer_free(&out);
}

void service_refuse(struct rpc_call *call, const struct refusal *r)
{
    struct buffer details = BUFFER_INIT;
    struct trace_context trace;
    char *message = NULL, id[TRACE_ID_LEN];
    struct error err;
    int code = RPC_INTERNAL;

    trace_of_call(call, &trace);
    trace_id(&trace, id);
    if (refusal_answer(r, id, &code, &message, &details, &err)) {
        struct rpc_status st = {(enum rpc_code)code, message, buffer_bytes(&details)};

        rpc_call_fail(call, &st, NULL, 0);
    } else {
        rpc_call_refuse(call, RPC_UNAVAILABLE, "%s", err.cause);
    }
    free(message);
    buffer_free(&details);
}

void service_fault(struct sequencer *seq, struct rpc_call *call, const struct error *err)
{
    bool is_ours = err->code == ERR_INTERNAL || err->code == ERR_SCHEMA;

    logger_error(seq->lg, LOG_WARN, err, rpc_call_path(call));
    rpc_call_refuse(call, is_ours ? RPC_INTERNAL : RPC_UNAVAILABLE, "%s",
                    is_ours ? "internal error" : "not available now, try again");
}

bool service_header(const struct rpc_call *call, const char *key, char *out, size_t size)
{
    struct bytes v;

    if (!rpc_call_header(call, key, &v) || v.len == 0 || v.len >= size || !utf8_valid(v))
        return false;
    memcpy(out, v.data, v.len);
    out[v.len] = 0;
    return true;
}

/* Status 16 with the request's headers as trailers: the client finds the token to drop there. */
static void unauthenticated(struct rpc_call *call, const char *code, const char *text)
{
    static const char *const echoed[] = {"authtoken-bin", "memberid", "synchronizerid"};
    struct rpc_status st = {RPC_UNAUTHENTICATED, text, {NULL, 0}};
    struct rpc_md trailers[4];
    size_t n = 0;

    if (code)
        trailers[n++] = (struct rpc_md){"autherrorcode", bytes_str(code)};
    for (size_t i = 0; i < 3; i++) {
        if (rpc_call_header(call, echoed[i], &trailers[n].value))
            trailers[n++].key = echoed[i];
    }
    rpc_call_fail(call, &st, trailers, n);
}

/* Is it a token of one of the member's present keys? */
static bool token_is_good(struct sequencer *seq, struct caller *c, struct bytes token)
{
    struct public_key *keys[TOPOLOGY_KEYS_MAX];
    int64_t since[TOPOLOGY_KEYS_MAX];
    struct member_info info;
    struct error err;
    bool ok = false;

    if (token_expires_at(token) <= clock_now_us() || !member_parse(c->member, NULL, NULL, NULL))
        return false;
    mutex_lock(&seq->state);
    struct view now = replica_view(seq);
    size_t n = topology_member_active(seq->topo, now.ts, c->member, NULL)
                   ? view_keys(&now, c->member, USAGE_SEQUENCER_AUTH, keys, TOPOLOGY_KEYS_MAX)
                   : 0;
    for (size_t i = 0; i < n; i++)
        since[i] = topology_access_since(now.topo, now.ts, c->member, keys[i]->fingerprint);
    mutex_unlock(&seq->state);
    if (n > 0 && members_get(seq->members, c->member, &info, &err) && info.is_enabled) {
        for (size_t i = 0; i < n && !ok; i++) {
            struct token_claim claim = {c->member, seq->sync.psid, keys[i]->fingerprint,
                                        info.revocation_epoch, since[i]};

            ok = token_check(bytes_of(seq->sync.token_key, TOKEN_KEY_LEN), &claim, token,
                             clock_now_us());
            if (ok) {
                snprintf(c->fingerprint, sizeof c->fingerprint, "%s", claim.fingerprint);
                c->access_since = claim.access_since;
            }
        }
        c->revocation_epoch = info.revocation_epoch;
    }
    for (size_t i = 0; i < n; i++)
        public_key_unref(keys[i]);
    c->expires_at = token_expires_at(token);
    return ok;
}

bool service_caller(struct sequencer *seq, struct rpc_call *call, struct caller *out)
{
    char psid[PSID_TEXT_SIZE];
    struct bytes token;

    memset(out, 0, sizeof *out);
    if (!service_header(call, "synchronizerid", psid, sizeof psid) ||
        !service_header(call, "memberid", out->member, sizeof out->member) ||
        !rpc_call_header(call, "authtoken-bin", &token)) {
        unauthenticated(call, NULL, "Authentication headers are not set");
        return false;
    }
    if (strcmp(psid, seq->sync.psid) != 0) {
        unauthenticated(call, "NonMatchingSynchronizerId",
                        "The synchronizer id is not that of this sequencer");
        return false;
    }
    if (!token_is_good(seq, out, token)) {
        unauthenticated(call, "MissingToken", "The token is unknown or has expired");
        return false;
    }
    return true;
}

bool service_caller_is(struct rpc_call *call, const struct caller *c, const char *member)
{
    if (strcmp(c->member, member) == 0)
        return true;
    rpc_call_refuse(call, RPC_PERMISSION_DENIED, "%s has authenticated, not %s", c->member, member);
    return false;
}
