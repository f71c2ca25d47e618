/* download.c: the topology state that a member starts from. */
#include <stdlib.h>

#include "base/clock.h"
#include "client/client_impl.h"
#include "sequencer_api_v30.pb-c.h"
#include "wire/precheck.h"

#define SERVICE "/com.digitalasset.canton.sequencer.api.v30.SequencerService/"

/* An endpoint with a token, waiting until deadline_us. */
static struct endpoint *wait_login(struct client *c, int64_t deadline_us, struct error *err)
{
    struct endpoint *e = NULL;
    char reason[CLIENT_REASON_MAX];

    client_login(c);
    mutex_lock(&c->m);
    while (!c->is_stopping && !(e = endpoint_pick(c, NULL))) {
        if (endpoints_all_fatal(c, reason, sizeof(reason))) {
            error_set(err, ERR_UNAVAILABLE, NULL, "%s", reason);
            break;
        }
        if (!cond_wait_until(&c->changed, &c->m, deadline_us)) {
            error_set(err, ERR_TIMEOUT, NULL, "no endpoint is ready (%s: %.180s)",
                      c->endpoints[0].url, c->endpoints[0].reason);
            break;
        }
    }
    if (!e && c->is_stopping)
        error_set(err, ERR_CLOSED, NULL, "the client is closed");
    mutex_unlock(&c->m);
    return e;
}

static bool ask_hash(struct endpoint *e, struct hash *out, struct error *err)
{
    Seq__DownloadTopologyStateForInitHashRequest rq =
        SEQ__DOWNLOAD_TOPOLOGY_STATE_FOR_INIT_HASH_REQUEST__INIT;
    struct call_reply reply;
    void *m;

    rq.member = e->c->member;
    if (!call_proto(e, SERVICE "DownloadTopologyStateForInitHash", CALL_TOKEN, &rq,
                    &seq__download_topology_state_for_init_hash_response__descriptor, &m, &reply,
                    err))
        return false;
    Seq__DownloadTopologyStateForInitHashResponse *rs = m;
    bool ok =
        hash_parse(bytes_of(rs->topology_state_hash.data, rs->topology_state_hash.len), out, err);
    wire_message_free(rs);
    return ok;
}

static bool hand_over(struct bytes message,
                      bool (*chunk)(void *ctx, struct bytes message, struct error *err), void *ctx,
                      struct error *err)
{
    Seq__DownloadTopologyStateForInitResponse *rs =
        wire_unpack(&seq__download_topology_state_for_init_response__descriptor, message, err);
    struct buffer b = BUFFER_INIT;

    if (!rs)
        return false;
    bool ok =
        rs->topology_transactions
            ? wire_pack(rs->topology_transactions, &b, err) && chunk(ctx, buffer_bytes(&b), err)
            : error_set(err, ERR_MALFORMED, NULL, "a download without transactions");
    buffer_free(&b);
    wire_message_free(rs);
    return ok;
}

bool client_download_topology(struct client *c, int64_t deadline_us,
                              bool (*chunk)(void *ctx, struct bytes message, struct error *err),
                              void *ctx, struct hash *stated, struct error *err)
{
    Seq__DownloadTopologyStateForInitRequest rq =
        SEQ__DOWNLOAD_TOPOLOGY_STATE_FOR_INIT_REQUEST__INIT;
    struct endpoint *e = wait_login(c, deadline_us, err);
    struct buffer b = BUFFER_INIT;
    struct stream *s = NULL;
    enum stream_take took;
    bool ok = false;

    rq.member = c->member;
    if (!e || !ask_hash(e, stated, err) ||
        !stream_open(e, SERVICE "DownloadTopologyStateForInit", &rq, 0, &s, err))
        return false;
    while ((took = stream_take(s, deadline_us, &b)) == STREAM_MESSAGE) {
        if (!hand_over(buffer_bytes(&b), chunk, ctx, err))
            goto out;
    }
    if (took == STREAM_ENDED) {
        const struct call_reply *end = stream_end(s);
        ok = end->code == RPC_OK ||
             rpc_status_error("topology download", end->code, end->message, err);
    } else {
        error_set(err, took == STREAM_TIMEOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE, NULL,
                  "the topology download from %s was broken off", e->url);
    }
out:
    stream_close(s);
    buffer_free(&b);
    return ok;
}
