/* test_admin.c: sets a synchronizer up over the admin API alone, with the calls that a stock
 * console makes: the owner is a namespace that neither node knows. Run by t/blackbox/admin.sh:
 *   test_admin HOST:PORT-OF-SEQUENCER HOST:PORT-OF-MEDIATOR http://HOST:PORT-OF-PUBLIC-API */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin_mediator_v30.pb-c.h"
#include "admin_sequencer_v30.pb-c.h"
#include "base/clock.h"
#include "connection_v30.pb-c.h"
#include "lockstep_admin_v1.pb-c.h"
#include "mediator_admin_v30.pb-c.h"
#include "rpc/client.h"
#include "sequencer_admin_v30.pb-c.h"
#include "topology/genesis.h"
#include "topology_admin_v30.pb-c.h"
#include "wire/precheck.h"

#define TREE    "/com.digitalasset.canton."
#define WAIT_US (20 * US_PER_S)
#define UPLOAD                                                                                     \
    TREE "sequencer.admin.v30.SequencerInitializationService/"                                     \
         "InitializeSequencerFromGenesisStateV2"

static struct {
    struct rpc_loop *loop;
    struct rpc_channel *sequencer, *mediator;
    const char *public_url;
    char sequencer_uid[UID_TEXT_SIZE], mediator_uid[UID_TEXT_SIZE];
    struct signed_txs identities;
    struct keyring *owner;
    char owner_ns[FINGERPRINT_SIZE];
    struct buffer genesis, fixed;
    char psid[PSID_TEXT_SIZE];
} t;

static void ok(bool done, const struct error *err)
{
    if (!done)
        fail_msg("%s; %s", err->cause, err->advice);
}

/* One call; the reply unpacked, or NULL with its code. */
static void *call(struct rpc_channel *ch, const char *path, const void *request,
                  const ProtobufCMessageDescriptor *desc, enum rpc_code *code)
{
    struct buffer b = BUFFER_INIT;
    struct rpc_result *r = NULL;
    struct error err;
    void *m = NULL;

    ok(wire_pack(request, &b, &err), &err);
    struct rpc_request rq = {
        .method = path, .message = buffer_bytes(&b), .timeout_us = WAIT_US, .wait_for_ready = true};

    ok(rpc_unary_wait(ch, &rq, &r, &err), &err);
    if (code == NULL && r->code != RPC_OK)
        fail_msg("%s: %s: %s", path, rpc_code_text(r->code), r->message);
    if (code != NULL)
        *code = r->code;
    if (r->code == RPC_OK) {
        m = wire_unpack(desc, r->reply, &err);
        ok(m != NULL, &err);
    }
    rpc_result_free(r);
    buffer_free(&b);
    return m;
}

static void the_api_says_what_it_is(void **state)
{
    Connection__GetApiInfoRequest rq = CONNECTION__GET_API_INFO_REQUEST__INIT;
    TopologyAdmin__CurrentTimeRequest now = TOPOLOGY_ADMIN__CURRENT_TIME_REQUEST__INIT;

    (void)state;
    Connection__GetApiInfoResponse *r =
        call(t.sequencer, TREE "connection.v30.ApiInfoService/GetApiInfo", &rq,
             &connection__get_api_info_response__descriptor, NULL);
    assert_string_equal(r->name, "admin-api");
    wire_message_free(r);
    TopologyAdmin__CurrentTimeResponse *time =
        call(t.mediator, TREE "topology.admin.v30.IdentityInitializationService/CurrentTime", &now,
             &topology_admin__current_time_response__descriptor, NULL);
    assert_true(llabs(time->current_time - clock_now_us()) < WAIT_US);
    wire_message_free(time);
}

static AdminSequencer__SequencerStatusResponse *sequencer_status(void)
{
    AdminSequencer__SequencerStatusRequest rq = ADMIN_SEQUENCER__SEQUENCER_STATUS_REQUEST__INIT;

    return call(t.sequencer, TREE "admin.sequencer.v30.SequencerStatusService/SequencerStatus", &rq,
                &admin_sequencer__sequencer_status_response__descriptor, NULL);
}

static AdminMediator__MediatorStatusResponse *mediator_status(void)
{
    AdminMediator__MediatorStatusRequest rq = ADMIN_MEDIATOR__MEDIATOR_STATUS_REQUEST__INIT;

    return call(t.mediator, TREE "admin.mediator.v30.MediatorStatusService/MediatorStatus", &rq,
                &admin_mediator__mediator_status_response__descriptor, NULL);
}

static void a_new_node_waits_for_initialisation(void **state)
{
    AdminSequencer__SequencerStatusResponse *s = sequencer_status();
    AdminMediator__MediatorStatusResponse *m = mediator_status();

    (void)state;
    assert_int_equal(s->kind_case,
                     ADMIN_SEQUENCER__SEQUENCER_STATUS_RESPONSE__KIND_NOT_INITIALIZED);
    assert_true(s->not_initialized->active);
    assert_int_equal(s->not_initialized->waiting_for_external_input, 3);
    assert_string_equal(s->not_initialized->version, "3.5.9");
    assert_int_equal(m->kind_case, ADMIN_MEDIATOR__MEDIATOR_STATUS_RESPONSE__KIND_NOT_INITIALIZED);
    wire_message_free(s);
    wire_message_free(m);
}

static void take_identity(struct rpc_channel *ch, char *uid)
{
    TopologyAdmin__GetIdRequest id = TOPOLOGY_ADMIN__GET_ID_REQUEST__INIT;
    TopologyAdmin__ListAllV2Request list = TOPOLOGY_ADMIN__LIST_ALL_V2_REQUEST__INIT;
    TopologyAdmin__BaseQuery query = TOPOLOGY_ADMIN__BASE_QUERY__INIT;
    TopologyAdmin__StoreId store = TOPOLOGY_ADMIN__STORE_ID__INIT;
    TopologyAdmin__StoreId__Authorized authorized = TOPOLOGY_ADMIN__STORE_ID__AUTHORIZED__INIT;
    char *mappings[] = {(char *)"nsd", (char *)"otk"};
    struct error err;

    TopologyAdmin__GetIdResponse *r =
        call(ch, TREE "topology.admin.v30.IdentityInitializationService/GetId", &id,
             &topology_admin__get_id_response__descriptor, NULL);
    assert_true(r->initialized);
    snprintf(uid, UID_TEXT_SIZE, "%s", r->unique_identifier);
    wire_message_free(r);
    store.store_case = TOPOLOGY_ADMIN__STORE_ID__STORE_AUTHORIZED;
    store.authorized = &authorized;
    query.store = &store;
    list.base_query = &query;
    list.n_include_mappings = 2;
    list.include_mappings = mappings;
    TopologyAdmin__ListAllV2Response *all =
        call(ch, TREE "topology.admin.v30.TopologyManagerReadService/ListAllV2", &list,
             &topology_admin__list_all_v2_response__descriptor, NULL);
    assert_int_equal(all->result->n_items, 2);
    for (size_t i = 0; i < 2; i++) {
        ProtobufCBinaryData b = all->result->items[i]->transaction;

        ok(signed_txs_add(&t.identities, bytes_of(b.data, b.len), &err), &err);
    }
    wire_message_free(all);
}

static void build_genesis(const char *name, struct buffer *file, char *psid)
{
    struct static_parameters fixed;
    struct genesis g = {.name = name,
                        .owner = t.owner_ns,
                        .keys = t.owner,
                        .static_parameters = &fixed,
                        .sequencer = t.sequencer_uid,
                        .mediators = {t.mediator_uid},
                        .n_mediators = 1,
                        .identities = &t.identities};
    struct error err;

    static_parameters_default(&fixed);
    ok(genesis_build(&g, file, psid, &err), &err);
    buffer_clear(&t.fixed);
    ok(static_parameters_build(&fixed, &t.fixed, &err), &err);
}

static void an_owner_elsewhere_makes_the_genesis(void **state)
{
    struct error err;
    char owner[UID_TEXT_SIZE], member[MEMBER_TEXT_SIZE];

    (void)state;
    take_identity(t.sequencer, t.sequencer_uid);
    take_identity(t.mediator, t.mediator_uid);
    ok(keyring_open(&t.owner, &err), &err);
    ok(identity_generate(t.owner, MEMBER_MEDIATOR, SIGNING_P256, t.owner_ns, &err), &err);
    snprintf(owner, sizeof(owner), "owner::%s", t.owner_ns);
    member_format(MEMBER_MEDIATOR, owner, member);
    ok(identity_build(t.owner, t.owner_ns, member, &t.identities, &err), &err);
    build_genesis("console", &t.genesis, t.psid);
}

/* Sends file in two chunks; the code of the answer. */
static enum rpc_code upload(struct bytes file)
{
    struct buffer chunk[2] = {BUFFER_INIT, BUFFER_INIT};
    struct bytes messages[2];
    struct error err;
    P30__StaticSynchronizerParameters *fixed =
        wire_unpack(&p30__static_synchronizer_parameters__descriptor, buffer_bytes(&t.fixed), &err);

    ok(fixed != NULL, &err);
    for (size_t i = 0; i < 2; i++) {
        SequencerAdmin__InitializeSequencerFromGenesisStateV2Request rq =
            SEQUENCER_ADMIN__INITIALIZE_SEQUENCER_FROM_GENESIS_STATE_V2_REQUEST__INIT;
        size_t at = i * (file.len / 2), end = i == 0 ? file.len / 2 : file.len;

        rq.topology_snapshot =
            (ProtobufCBinaryData){end - at, (uint8_t *)(uintptr_t)file.data + at};
        rq.synchronizer_parameters = fixed;
        ok(wire_pack(&rq, &chunk[i], &err), &err);
        messages[i] = buffer_bytes(&chunk[i]);
    }
    struct rpc_request rq = {.method = UPLOAD, .timeout_us = WAIT_US, .wait_for_ready = true};
    struct rpc_result *r = NULL;

    ok(rpc_upload_wait(t.sequencer, &rq, messages, 2, &r, &err), &err);
    enum rpc_code code = r->code;

    rpc_result_free(r);
    buffer_free(&chunk[0]);
    buffer_free(&chunk[1]);
    wire_message_free(fixed);
    return code;
}

static void a_broken_genesis_changes_nothing(void **state)
{
    struct bytes file = buffer_bytes(&t.genesis);

    (void)state;
    assert_int_equal(upload(bytes_of(file.data, file.len - 7)), RPC_INVALID_ARGUMENT);
    t.genesis.data[file.len - 20] ^= 1; /* inside the last signature */
    assert_int_equal(upload(file), RPC_INVALID_ARGUMENT);
    t.genesis.data[file.len - 20] ^= 1;
    a_new_node_waits_for_initialisation(state);
}

static void the_sequencer_takes_it_and_takes_it_again(void **state)
{
    int64_t deadline = clock_mono_us() + WAIT_US;
    bool is_there = false;

    (void)state;
    assert_int_equal(upload(buffer_bytes(&t.genesis)), RPC_OK);
    assert_int_equal(upload(buffer_bytes(&t.genesis)), RPC_OK);
    while (!is_there && clock_mono_us() < deadline) {
        AdminSequencer__SequencerStatusResponse *s = sequencer_status();

        is_there = s->kind_case == ADMIN_SEQUENCER__SEQUENCER_STATUS_RESPONSE__KIND_STATUS &&
                   s->status->sequencer->active;
        if (is_there) {
            assert_string_equal(s->status->physical_synchronizer_id, t.psid);
            assert_string_equal(s->status->common_status->uid, t.sequencer_uid);
            assert_int_equal(s->status->protocol_version, 35);
        }
        wire_message_free(s);
    }
    assert_true(is_there);
}

static void another_synchronizer_is_refused(void **state)
{
    Lsadm__BootstrapRequest rq = LSADM__BOOTSTRAP_REQUEST__INIT;
    struct buffer other = BUFFER_INIT;
    char psid[PSID_TEXT_SIZE];
    enum rpc_code code;

    (void)state;
    build_genesis("other", &other, psid);
    assert_int_equal(upload(buffer_bytes(&other)), RPC_FAILED_PRECONDITION);
    buffer_free(&other);
    rq.name = (char *)"third";
    assert_null(call(t.sequencer, "/lockstep.admin.v1.BootstrapService/Bootstrap", &rq,
                     &lsadm__bootstrap_response__descriptor, &code));
    assert_int_equal(code, RPC_INVALID_ARGUMENT); /* no mediator given */
}

static enum rpc_code initialize_mediator(const char *psid)
{
    MediatorAdmin__InitializeMediatorRequest rq = MEDIATOR_ADMIN__INITIALIZE_MEDIATOR_REQUEST__INIT;
    AdminSequencer__SequencerConnections all = ADMIN_SEQUENCER__SEQUENCER_CONNECTIONS__INIT;
    AdminSequencer__SequencerConnection one = ADMIN_SEQUENCER__SEQUENCER_CONNECTION__INIT;
    AdminSequencer__SequencerConnection__Grpc grpc;
    AdminSequencer__SequencerConnection *at[] = {&one};
    char *urls[] = {(char *)(uintptr_t)t.public_url};
    enum rpc_code code;

    admin_sequencer__sequencer_connection__grpc__init(&grpc);
    grpc.n_connections = 1;
    grpc.connections = urls;
    one.alias = (char *)"sequencer";
    one.type_case = ADMIN_SEQUENCER__SEQUENCER_CONNECTION__TYPE_GRPC;
    one.grpc = &grpc;
    all.n_sequencer_connections = 1;
    all.sequencer_connections = at;
    all.sequencer_trust_threshold = 1;
    rq.physical_synchronizer_id = (char *)(uintptr_t)psid;
    rq.sequencer_connections = &all;
    wire_message_free(
        call(t.mediator, TREE "mediator.admin.v30.MediatorInitializationService/InitializeMediator",
             &rq, &mediator_admin__initialize_mediator_response__descriptor, &code));
    return code;
}

static void the_mediator_joins_and_only_there(void **state)
{
    int64_t deadline = clock_mono_us() + WAIT_US;
    bool is_active = false;
    char wrong[PSID_TEXT_SIZE];

    (void)state;
    assert_int_equal(initialize_mediator("nonsense"), RPC_INVALID_ARGUMENT);
    snprintf(wrong, sizeof(wrong), "other%s", strstr(t.psid, "::"));
    assert_int_not_equal(initialize_mediator(wrong), RPC_OK);
    assert_int_equal(initialize_mediator(t.psid), RPC_OK);
    assert_int_equal(initialize_mediator(t.psid), RPC_OK);
    while (!is_active && clock_mono_us() < deadline) {
        AdminMediator__MediatorStatusResponse *m = mediator_status();

        is_active = m->kind_case == ADMIN_MEDIATOR__MEDIATOR_STATUS_RESPONSE__KIND_STATUS &&
                    m->status->common_status->active;
        if (is_active)
            assert_string_equal(m->status->physical_synchronizer_id, t.psid);
        wire_message_free(m);
    }
    assert_true(is_active);
}

static void bytes_that_do_not_parse_are_refused(void **state)
{
    const char *paths[] = {TREE "topology.admin.v30.TopologyManagerReadService/ListAllV2",
                           "/lockstep.admin.v1.BootstrapService/Bootstrap"};
    struct rpc_result *r;
    struct error err;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct rpc_request rq = {
            .method = paths[i], .message = bytes_of("\x0a\xff\xff", 3), .timeout_us = WAIT_US};

        ok(rpc_unary_wait(t.sequencer, &rq, &r, &err), &err);
        assert_int_equal(r->code, RPC_INVALID_ARGUMENT);
        rpc_result_free(r);
    }
}

static void without_traffic_control_nothing_can_be_bought(void **state)
{
    SequencerAdmin__TrafficControlStateRequest ask =
        SEQUENCER_ADMIN__TRAFFIC_CONTROL_STATE_REQUEST__INIT;
    SequencerAdmin__SetTrafficPurchasedRequest buy =
        SEQUENCER_ADMIN__SET_TRAFFIC_PURCHASED_REQUEST__INIT;
    char *members[] = {"PAR::alice::1220aa"};
    enum rpc_code code;

    (void)state;
    ask.n_members = 1;
    ask.members = members;
    SequencerAdmin__TrafficControlStateResponse *m = call(
        t.sequencer, TREE "sequencer.admin.v30.SequencerAdministrationService/TrafficControlState",
        &ask, &sequencer_admin__traffic_control_state_response__descriptor, NULL);
    assert_int_equal(m->n_traffic_states, 0);
    wire_message_free(m);
    buy.member = members[0];
    buy.serial = 1;
    buy.total_traffic_purchased = 1000;
    assert_null(call(t.sequencer,
                     TREE "sequencer.admin.v30.SequencerAdministrationService/SetTrafficPurchased",
                     &buy, &sequencer_admin__set_traffic_purchased_response__descriptor, &code));
    assert_int_equal(code, RPC_UNIMPLEMENTED);
}

static struct rpc_channel *channel(const char *address)
{
    char url[128];
    struct rpc_channel_config cfg = {.endpoint = url};
    struct rpc_channel *ch = NULL;
    struct error err;

    snprintf(url, sizeof(url), "http://%s", address);
    if (!rpc_channel_open(t.loop, &cfg, NULL, NULL, &ch, &err)) {
        fprintf(stderr, "%s: %s\n", url, err.cause);
        exit(1);
    }
    return ch;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_api_says_what_it_is),
        cmocka_unit_test(a_new_node_waits_for_initialisation),
        cmocka_unit_test(an_owner_elsewhere_makes_the_genesis),
        cmocka_unit_test(a_broken_genesis_changes_nothing),
        cmocka_unit_test(the_sequencer_takes_it_and_takes_it_again),
        cmocka_unit_test(another_synchronizer_is_refused),
        cmocka_unit_test(the_mediator_joins_and_only_there),
        cmocka_unit_test(bytes_that_do_not_parse_are_refused),
        cmocka_unit_test(without_traffic_control_nothing_can_be_bought),
    };
    struct error err;

    if (argc != 4 || !rpc_loop_open(1, NULL, &t.loop, &err))
        return 2;
    t.sequencer = channel(argv[1]);
    t.mediator = channel(argv[2]);
    t.public_url = argv[3];
    int failed = cmocka_run_group_tests_name("admin", tests, NULL, NULL);

    rpc_channel_close(t.sequencer);
    rpc_channel_close(t.mediator);
    rpc_loop_close(t.loop);
    keyring_close(t.owner);
    signed_txs_free(&t.identities);
    buffer_free(&t.genesis);
    buffer_free(&t.fixed);
    return failed;
}
