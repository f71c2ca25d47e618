/* download_service.c: the topology that a new member starts from, in chunks with flow control, and
 * its hash. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sequencer/service.h"
#include "sequencer_api_v30.pb-c.h"
#include "topology/snapshot.h"
#include "wire/precheck.h"

#define PATH SERVICE_PREFIX "SequencerService/"

/* One download; moved on by its `written`, on the query pool. */
struct download {
    struct sequencer *seq;
    struct rpc_call *call;
    char member[MEMBER_TEXT_SIZE];
    size_t position;
    bool is_last;
};

static enum rpc_code code_of(const struct error *err)
{
    if (err->code == ERR_REFUSED)
        return RPC_FAILED_PRECONDITION;
    return err->code == ERR_CONFIG ? RPC_INVALID_ARGUMENT : RPC_UNAVAILABLE;
}

/* Appends DownloadTopologyStateForInitResponse: its one field is the message that topology/ gives.
 */
static bool next_chunk(struct download *d, struct buffer *out, struct error *err)
{
    struct buffer chunk = BUFFER_INIT;

    mutex_lock(&d->seq->state);
    bool ok =
        topology_download(d->seq->topo, d->member, TS_MIN, &d->position, &chunk, &d->is_last, err);
    mutex_unlock(&d->seq->state);
    if (ok) {
        buffer_append_byte(out, 0x0a);
        buffer_append_varint(out, chunk.len);
        buffer_append(out, chunk.data, chunk.len);
        ok = buffer_ok(&chunk, err) && buffer_ok(out, err);
    }
    buffer_free(&chunk);
    return ok;
}

static void send_chunk(void *ctx)
{
    struct download *d = ctx;
    struct buffer out = BUFFER_INIT;
    struct error err;

    if (d->is_last)
        rpc_call_end(d->call);
    else if (!next_chunk(d, &out, &err))
        rpc_call_refuse(d->call, code_of(&err), "%s", err.cause);
    else if (!rpc_call_write(d->call, buffer_bytes(&out)))
        rpc_call_refuse(d->call, RPC_CANCELLED, "the reader is gone");
    buffer_free(&out);
}

static void on_written(void *ctx, bool ok)
{
    struct download *d = ctx;
    struct error err;

    if (!ok)
        rpc_call_refuse(d->call, RPC_CANCELLED, "the reader is gone");
    else if (!pool_submit(d->seq->query, send_chunk, d, &err))
        rpc_call_refuse(d->call, RPC_UNAVAILABLE, "%s", err.cause);
}

static void download(void *ctx, struct rpc_call *call)
{
    static const struct rpc_call_events events = {on_written, NULL, free};
    Seq__DownloadTopologyStateForInitRequest *m;
    struct caller caller;
    struct download *d;

    if (!service_gate(ctx, call) || !service_caller(ctx, call, &caller))
        return;
    m = service_unpack(call, &seq__download_topology_state_for_init_request__descriptor);
    if (!m)
        return;
    d = calloc(1, sizeof *d);
    if (!d || strlen(m->member) >= sizeof d->member) {
        rpc_call_refuse(call, d ? RPC_INVALID_ARGUMENT : RPC_UNAVAILABLE,
                        d ? "no member" : "no memory for a download");
        free(d);
    } else {
        d->seq = ctx;
        d->call = call;
        strcpy(d->member, m->member);
        rpc_call_watch(call, &events, d);
        send_chunk(d);
    }
    wire_message_free(m);
}

static void download_hash(void *ctx, struct rpc_call *call)
{
    struct sequencer *seq = ctx;
    Seq__DownloadTopologyStateForInitHashRequest *m;
    Seq__DownloadTopologyStateForInitHashResponse reply =
        SEQ__DOWNLOAD_TOPOLOGY_STATE_FOR_INIT_HASH_RESPONSE__INIT;
    struct caller caller;
    struct error err;
    struct hash h;

    if (!service_gate(seq, call) || !service_caller(seq, call, &caller))
        return;
    m = service_unpack(call, &seq__download_topology_state_for_init_hash_request__descriptor);
    if (!m)
        return;
    mutex_lock(&seq->state);
    bool ok = topology_download_hash(seq->topo, m->member, TS_MIN, &h, &err);
    mutex_unlock(&seq->state);
    reply.topology_state_hash = (ProtobufCBinaryData){HASH_LEN, h.b};
    if (ok)
        service_reply(call, &reply);
    else
        rpc_call_refuse(call, code_of(&err), "%s", err.cause);
    wire_message_free(m);
}

bool download_service_register(struct sequencer *seq, struct rpc_server *s, struct error *err)
{
    static const struct service_method methods[] = {
        {PATH "DownloadTopologyStateForInit", RPC_SERVER_STREAM, download, true},
        {PATH "DownloadTopologyStateForInitHash", RPC_UNARY, download_hash, true},
    };

    return service_register(seq, s, methods, sizeof methods / sizeof *methods, err);
}
