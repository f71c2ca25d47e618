/* cmd_topology.c: `lockstep topology`: what the stores of a node hold, changes to them, exports and
 * their verification. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/pb_json.h"
#include "cli/topology_call.h"
#include "topology/snapshot.h"
#include "topology/verify.h"
#include "wire/precheck.h"
#include "wire/topology_tx.h"

#define FILE_MAX_BYTES ((size_t)64 << 20)
#define IMPORT_WAIT_US (60 * US_PER_S) /* thousands are checked, then sequenced */

/* ---- files ---- */

/* The whole file; "-" is standard input. */
static bool read_all(const char *path, struct buffer *out, struct error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(path, "re");
    char part[65536];
    size_t n;
    bool ok = true;

    if (f == NULL)
        return error_set(err, ERR_CONFIG, "check the path", "%s: %s", path, strerror(errno));
    while (ok && (n = fread(part, 1, sizeof(part), f)) > 0) {
        buffer_append(out, part, n);
        ok = out->len <= FILE_MAX_BYTES ||
             error_set(err, ERR_LIMIT, NULL, "%s is larger than 64 MiB", path);
    }
    if (ok && ferror(f) != 0)
        ok = error_set(err, ERR_IO, NULL, "%s: %s", path, strerror(errno));
    if (!is_stdin)
        fclose(f);
    return ok && buffer_ok(out, err);
}

/* Whole or not at all: written beside and renamed. */
static bool write_all(const char *path, struct bytes data, struct error *err)
{
    struct buffer part = BUFFER_INIT;
    FILE *f = NULL;
    bool ok = false;

    buffer_printf(&part, "%s.part", path);
    const char *beside = buffer_cstr(&part);

    if (beside != NULL)
        f = fopen(beside, "wxe");
    if (f != NULL) {
        ok = fwrite(data.data, 1, data.len, f) == data.len;
        ok = fclose(f) == 0 && ok && rename(beside, path) == 0;
    }
    if (!ok) {
        error_set(err, ERR_IO, "check the path and the space", "%s: %s", path, strerror(errno));
        if (f != NULL)
            remove(beside);
    }
    buffer_free(&part);
    return ok;
}

/* ---- list ---- */

static const char *time_text(const Google__Protobuf__Timestamp *t, char out[CLOCK_TEXT_LEN])
{
    if (t == NULL)
        return "";
    clock_format(t->seconds * US_PER_S + t->nanos / 1000, out);
    return out;
}

static json_t *tx_row(const TopologyAdmin__TopologyTransactions__Item *i, bool is_long,
                      struct error *err)
{
    char hash[HASH_HEX_SIZE], from[CLOCK_TEXT_LEN], until[CLOCK_TEXT_LEN];
    struct signed_topology_tx tx;
    json_t *o, *mapping, *signers = json_array();
    const char *kind;

    if (!signed_topology_tx_parse(bytes_of(i->transaction.data, i->transaction.len), &tx, err)) {
        json_decref(signers);
        return NULL;
    }
    hash_hex(&tx.hash, hash);
    mapping = pb_to_json(&tx.mapping->base);
    kind = json_object_iter_key(json_object_iter(mapping));
    for (size_t s = 0; s < tx.n_signatures; s++)
        json_array_append_new(signers, json_string(tx.signatures[s].signed_by));
    o = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "mapping", kind != NULL ? kind : "", "serial",
                  (int)tx.serial, "operation",
                  tx.op == TOPOLOGY_REMOVE ? "remove"
                  : tx.is_proposal         ? "propose"
                                           : "add",
                  "from", time_text(i->valid_from, from), "until", time_text(i->valid_until, until),
                  "hash", hash);
    if (is_long) {
        json_object_set(o, "content", mapping);
        json_object_set(o, "signed_by", signers);
    }
    json_decref(mapping);
    json_decref(signers);
    signed_topology_tx_free(&tx);
    return o;
}

/* --at, --all, --proposals and the filters. */
static bool query(struct cli *cli, struct topology_node *n, TopologyAdmin__BaseQuery *b,
                  Google__Protobuf__Timestamp *at, Google__Protobuf__Empty *head,
                  TopologyAdmin__BaseQuery__TimeRange *range, struct error *err)
{
    const char *time = cli_value(cli, "at");
    int64_t us = 0;

    topology_admin__base_query__init(b);
    if (!topology_node_store(cli, n, &b->store, err))
        return false;
    b->proposals = cli_flag(cli, "proposals");
    if (cli_flag(cli, "all")) {
        topology_admin__base_query__time_range__init(range);
        b->time_query_case = TOPOLOGY_ADMIN__BASE_QUERY__TIME_QUERY_RANGE;
        b->range = range;
        return true;
    }
    if (time == NULL) {
        google__protobuf__empty__init(head);
        b->time_query_case = TOPOLOGY_ADMIN__BASE_QUERY__TIME_QUERY_HEAD_STATE;
        b->head_state = head;
        return true;
    }
    if (!clock_parse(time, &us))
        return error_set(err, ERR_CONFIG, "write it as 2026-11-23T19:55:26Z", "no time: %.60s",
                         time);
    google__protobuf__timestamp__init(at);
    at->seconds = us / US_PER_S;
    at->nanos = (int32_t)(us % US_PER_S * 1000);
    b->time_query_case = TOPOLOGY_ADMIN__BASE_QUERY__TIME_QUERY_SNAPSHOT;
    b->snapshot = at;
    return true;
}

static TopologyAdmin__ListAllV2Response *ask(struct cli *cli, struct topology_node *n,
                                             struct error *err)
{
    TopologyAdmin__ListAllV2Request rq = TOPOLOGY_ADMIN__LIST_ALL_V2_REQUEST__INIT;
    TopologyAdmin__BaseQuery b;
    TopologyAdmin__BaseQuery__TimeRange range;
    Google__Protobuf__Timestamp at;
    Google__Protobuf__Empty head;
    char *codes[32];

    if (!query(cli, n, &b, &at, &head, &range, err))
        return NULL;
    rq.base_query = &b;
    while (rq.n_include_mappings < 32 && cli_value_at(cli, "mapping", rq.n_include_mappings)) {
        codes[rq.n_include_mappings] =
            (char *)(uintptr_t)cli_value_at(cli, "mapping", rq.n_include_mappings);
        rq.n_include_mappings++;
    }
    rq.include_mappings = codes;
    if (cli_value(cli, "namespace") != NULL)
        rq.filter_namespace = (char *)(uintptr_t)cli_value(cli, "namespace");
    return cli_call(n->server, TOPOLOGY_READ "ListAllV2", &rq,
                    &topology_admin__list_all_v2_response__descriptor, err);
}

static int list(struct cli *cli)
{
    struct topology_node n = {0};
    TopologyAdmin__ListAllV2Response *r = NULL;
    json_t *rows = json_array();
    bool is_long = cli_flag(cli, "long") || cli_format(cli) != CLI_TABLE;
    struct error err;
    bool ok = topology_node_open(cli, &n, &err) && (r = ask(cli, &n, &err)) != NULL;

    for (size_t i = 0; ok && r->result != NULL && i < r->result->n_items; i++) {
        json_t *row = tx_row(r->result->items[i], is_long, &err);

        ok = row != NULL;
        if (ok)
            json_array_append_new(rows, row);
    }
    int code = ok ? cli_print(cli, json_incref(rows)) : cli_fail(cli, &err);

    json_decref(rows);
    wire_message_free(r);
    topology_node_close(&n);
    return code;
}

/* ---- propose, authorize ---- */

static int print_authorized(struct cli *cli, const TopologyAdmin__AuthorizeResponse *r)
{
    struct signed_topology_tx tx;
    char hash[HASH_HEX_SIZE];
    struct error err;

    if (r->transaction == NULL || !signed_topology_tx_from(r->transaction, &tx, &err))
        return cli_print(cli, json_object());
    hash_hex(&tx.hash, hash);
    json_t *o = json_pack("{s:s, s:i, s:b, s:i}", "hash", hash, "serial", (int)tx.serial,
                          "proposal", (int)tx.is_proposal, "signatures", (int)tx.n_signatures);

    signed_topology_tx_free(&tx);
    return cli_print(cli, o);
}

static size_t signers(struct cli *cli, char *out[32])
{
    size_t n = 0;

    for (; n < 32 && cli_value_at(cli, "sign", n) != NULL; n++)
        out[n] = (char *)(uintptr_t)cli_value_at(cli, "sign", n);
    return n;
}

static P30__TopologyMapping *read_mapping(const char *path, struct error *err)
{
    struct buffer text = BUFFER_INIT;
    P30__TopologyMapping *m = NULL;
    json_error_t where;
    json_t *doc = NULL;

    if (read_all(path, &text, err)) {
        doc = json_loadb((char *)text.data, text.len, JSON_REJECT_DUPLICATES, &where);
        if (doc == NULL)
            error_set(err, ERR_CONFIG, NULL, "%s:%d:%d: %s", path, where.line, where.column,
                      where.text);
        else
            m = pb_from_json(&p30__topology_mapping__descriptor, doc, err);
        if (doc != NULL && m == NULL)
            error_add(err, "%s", path);
    }
    if (m != NULL && m->mapping_case == 0) {
        error_set(err, ERR_CONFIG, "see lockstep topology list -o json for the form",
                  "%s holds no mapping", path);
        pb_message_free(m);
        m = NULL;
    }
    json_decref(doc);
    buffer_free(&text);
    return m;
}

static int propose(struct cli *cli)
{
    struct topology_node n = {0};
    TopologyAdmin__StoreId *store;
    TopologyAdmin__AuthorizeResponse *r = NULL;
    P30__TopologyMapping *m;
    char *named[32];
    size_t n_named = signers(cli, named);
    int64_t serial = 0;
    struct error err;
    int code;

    if (!cli_int(cli, "serial", 1, INT32_MAX, &serial))
        return CLI_USAGE;
    m = read_mapping(cli_arg(cli, 0), &err);
    if (m != NULL && topology_node_open(cli, &n, &err) &&
        topology_node_store(cli, &n, &store, &err))
        r = topology_propose(&n, store,
                             cli_flag(cli, "remove") ? TOPOLOGY_REMOVE : TOPOLOGY_ADD_REPLACE,
                             (uint32_t)serial, m, cli_flag(cli, "proposal"), named, n_named, &err);
    code = r != NULL ? print_authorized(cli, r) : cli_fail(cli, &err);
    pb_message_free(m);
    wire_message_free(r);
    topology_node_close(&n);
    return code;
}

static int authorize(struct cli *cli)
{
    struct topology_node n = {0};
    TopologyAdmin__AuthorizeRequest rq = TOPOLOGY_ADMIN__AUTHORIZE_REQUEST__INIT;
    TopologyAdmin__AuthorizeResponse *r = NULL;
    char *named[32];
    struct error err;
    int code;

    rq.type_case = TOPOLOGY_ADMIN__AUTHORIZE_REQUEST__TYPE_TRANSACTION_HASH;
    rq.transaction_hash = (char *)(uintptr_t)cli_arg(cli, 0);
    rq.n_signed_by = signers(cli, named);
    rq.signed_by = named;
    if (topology_node_open(cli, &n, &err) && topology_node_store(cli, &n, &rq.store, &err))
        r = cli_call(n.server, TOPOLOGY_WRITE "Authorize", &rq,
                     &topology_admin__authorize_response__descriptor, &err);
    code = r != NULL ? print_authorized(cli, r) : cli_fail(cli, &err);
    wire_message_free(r);
    topology_node_close(&n);
    return code;
}

/* ---- import, export, verify ---- */

static int import(struct cli *cli)
{
    struct topology_node n = {0};
    TopologyAdmin__ImportTopologySnapshotV2Request rq =
        TOPOLOGY_ADMIN__IMPORT_TOPOLOGY_SNAPSHOT_V2_REQUEST__INIT;
    TopologyAdmin__ImportTopologySnapshotV2Response *r = NULL;
    struct topology_items items = {0};
    Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;
    struct buffer file = BUFFER_INIT;
    struct error err;
    int code;

    if (read_all(cli_arg(cli, 0), &file, &err) &&
        topology_export_read(buffer_bytes(&file), FILE_MAX_BYTES, &items, &err) &&
        topology_node_open(cli, &n, &err) && topology_node_store(cli, &n, &rq.store, &err)) {
        cli_server_wait(n.server, IMPORT_WAIT_US);
        wait.seconds = cli_server_timeout(n.server) / US_PER_S;
        wait.nanos = (int32_t)(cli_server_timeout(n.server) % US_PER_S * 1000);
        rq.wait_to_become_effective = &wait;
        rq.topology_snapshot = (ProtobufCBinaryData){file.len, file.data};
        r = cli_call(n.server, TOPOLOGY_WRITE "ImportTopologySnapshotV2", &rq,
                     &topology_admin__import_topology_snapshot_v2_response__descriptor, &err);
    }
    code = r != NULL ? cli_print(cli, json_pack("{s:I}", "transactions", (json_int_t)items.n))
                     : cli_fail(cli, &err);
    wire_message_free(r);
    topology_items_free(&items);
    buffer_free(&file);
    topology_node_close(&n);
    return code;
}

static bool on_chunk(void *ctx, const void *message)
{
    const TopologyAdmin__ExportTopologySnapshotV2Response *r = message;

    buffer_append(ctx, r->chunk.data, r->chunk.len);
    return true;
}

static int export(struct cli *cli)
{
    struct topology_node n = {0};
    TopologyAdmin__ExportTopologySnapshotV2Request rq =
        TOPOLOGY_ADMIN__EXPORT_TOPOLOGY_SNAPSHOT_V2_REQUEST__INIT;
    TopologyAdmin__BaseQuery b = TOPOLOGY_ADMIN__BASE_QUERY__INIT;
    struct topology_items items = {0};
    struct buffer file = BUFFER_INIT;
    struct error err;
    int code;

    rq.base_query = &b;
    if (topology_node_open(cli, &n, &err) && topology_node_store(cli, &n, &b.store, &err) &&
        cli_stream(n.server, TOPOLOGY_READ "ExportTopologySnapshotV2", &rq,
                   &topology_admin__export_topology_snapshot_v2_response__descriptor,
                   clock_mono_us() + cli_server_timeout(n.server), on_chunk, &file, &err) &&
        buffer_ok(&file, &err) && topology_items_from_file(buffer_bytes(&file), &items, &err) &&
        write_all(cli_arg(cli, 0), buffer_bytes(&file), &err))
        code = cli_print(cli, json_pack("{s:I, s:I}", "transactions", (json_int_t)items.n, "bytes",
                                        (json_int_t)file.len));
    else
        code = cli_fail(cli, &err);
    topology_items_free(&items);
    buffer_free(&file);
    topology_node_close(&n);
    return code;
}

static json_t *failure_rows(const struct topology_verification *v)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < v->n_failures; i++)
        json_array_append_new(
            rows, json_pack("{s:I, s:s, s:s}", "transaction", (json_int_t)v->failures[i].item,
                            "hash", v->failures[i].hash, "reason", v->failures[i].reason));
    return rows;
}

static int print_verification(struct cli *cli, const struct topology_verification *v)
{
    char hash[HASH_HEX_SIZE] = "";
    int code;

    if (v->has_hash)
        hash_hex(&v->hash, hash);
    code = cli_print(cli,
                     json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o}", "synchronizer",
                               v->psid, "items", (json_int_t)v->n_items, "transactions",
                               (json_int_t)v->n_transactions, "accepted", (json_int_t)v->n_accepted,
                               "proposals", (json_int_t)v->n_proposals, "rejected",
                               (json_int_t)v->n_rejected, "signatures", (json_int_t)v->n_signatures,
                               "superfluous_signatures", (json_int_t)v->n_superfluous, "hash", hash,
                               "failures", failure_rows(v)));
    return code == CLI_OK && v->n_failures > 0 ? CLI_FAILED : code;
}

static int verify(struct cli *cli)
{
    struct topology_verify_options options = {.psid = cli_value(cli, "synchronizer")};
    struct topology_verification v = {0};
    struct buffer file = BUFFER_INIT;
    struct error err;
    int code;

    if (read_all(cli_arg(cli, 0), &file, &err) &&
        topology_verify_file(buffer_bytes(&file), &options, &v, &err))
        code = print_verification(cli, &v);
    else
        code = cli_fail(cli, &err);
    topology_verification_free(&v);
    buffer_free(&file);
    return code;
}

#define STORE_OPTION                                                                               \
    {                                                                                              \
        "store", 0, "STORE", "authorized, or synchronizer (default when there is one)"             \
    }
#define SIGN_OPTION                                                                                \
    {                                                                                              \
        "sign", 0, "FINGERPRINT", "key to sign with; default: all that may count"                  \
    }
static const struct cli_option list_options[] = {
    CLI_SERVER_OPTIONS("admin API of the node"),
    STORE_OPTION,
    {"mapping", 'm', "CODE", "only these: nsd dnd otk dtc pdp phl vtp ptp dop mds sds sep ptk"},
    {"namespace", 0, "START", "only namespaces that begin so"},
    {"at", 0, "TIME", "as it was in effect at this time"},
    {"all", 0, NULL, "what has ended too"},
    {"proposals", 0, NULL, "what still lacks signatures"},
    {"long", 'l', NULL, "the content and who signed"},
    {0},
};
static const struct cli_option propose_options[] = {
    CLI_SERVER_OPTIONS("admin API of the node that signs, of its active replica"),
    STORE_OPTION,
    SIGN_OPTION,
    {"remove", 0, NULL, "end the mapping"},
    {"proposal", 0, NULL, "others have to sign too"},
    {"serial", 0, "N", "default: the next"},
    {0},
};
static const struct cli_option authorize_options[] = {
    CLI_SERVER_OPTIONS("admin API of the node that signs, of its active replica"),
    STORE_OPTION,
    SIGN_OPTION,
    {0},
};
static const struct cli_option file_options[] = {
    CLI_SERVER_OPTIONS("admin API of the node"),
    STORE_OPTION,
    {0},
};
static const struct cli_option verify_options[] = {
    {"synchronizer", 0, "ID", "physical id; default: from the file"},
    {0},
};
static const struct cli_command commands[] = {
    {"list", "", 0, 0, "topology transactions of a store of a node", NULL, list_options, list},
    {"propose", "FILE", 1, 1, "make, sign and submit a transaction; FILE holds the mapping as JSON",
     "The form is that of `content` in lockstep topology list -o json; - reads standard input.\n"
     "Waits until the change is in effect. What would be rejected is refused, and not sent.",
     propose_options, propose},
    {"authorize", "HASH", 1, 1, "add the node's signatures to a proposal", NULL, authorize_options,
     authorize},
    {"import", "FILE", 1, 1, "submit the transactions of an export, all or none", NULL,
     file_options, import},
    {"export", "FILE", 1, 1, "write a store with its history to a file", NULL, file_options,
     export},
    {"verify", "FILE", 1, 1, "check an export: signatures and authorisation, without a node",
     "FILE is an export of either form, plain or gzip; - reads standard input. Exit status 0 only\n"
     "when every transaction is good.",
     verify_options, verify},
    {0},
};
const struct cli_family cmd_topology = {"topology", "who is who on a synchronizer", commands};
