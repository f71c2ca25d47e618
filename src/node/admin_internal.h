/* admin_internal.h: what the files of the admin services share. */
#ifndef NODE_ADMIN_INTERNAL_H
#define NODE_ADMIN_INTERNAL_H
#include "admin_health_v30.pb-c.h"
#include "node/admin_service.h"
#include "node/admin_stores.h"
#include "rpc/server.h"
#include "topology_admin_v30.pb-c.h"

struct admin_service {
    struct admin_config cfg;
};

/* The release of the existing implementation whose console commands these services answer; consoles
 * read it and adapt to it. */
#define ADMIN_COMPATIBLE_RELEASE "3.5.9"
#define ADMIN_TREE               "/com.digitalasset.canton."

struct admin_method {
    const char *path;
    enum rpc_kind kind;
    rpc_handler *handler;
    bool is_blocking; /* runs on the pool */
};
MUST_CHECK bool admin_register(struct admin_service *s, struct rpc_server *server,
                               const struct admin_method *methods, size_t n, struct error *err);
MUST_CHECK bool admin_sequencer_register(struct admin_service *s, struct rpc_server *server,
                                         struct error *err);
MUST_CHECK bool admin_mediator_register(struct admin_service *s, struct rpc_server *server,
                                        struct error *err);

MUST_CHECK bool admin_topology_register(struct admin_service *s, struct rpc_server *server,
                                        struct error *err);
MUST_CHECK bool admin_topology_write_register(struct admin_service *s, struct rpc_server *server,
                                              struct error *err);
MUST_CHECK bool admin_keys_register(struct admin_service *s, struct rpc_server *server,
                                    struct error *err);

/* Which store a request means; none: the authorized one. Fails: ERR_UNSUPPORTED (a temporary one),
 * ERR_NOT_FOUND (of another synchronizer). */
MUST_CHECK bool admin_store_kind(struct admin_service *s, const TopologyAdmin__StoreId *id,
                                 enum store_kind *out, struct error *err);
void admin_timestamp(int64_t us, Google__Protobuf__Timestamp *out);
/* The request as a message, NULL after having answered INVALID_ARGUMENT. wire_message_free. */
void *admin_request(struct rpc_call *call, const ProtobufCMessageDescriptor *desc);
void admin_reply(struct rpc_call *call, const void *message); /* packs, answers, ends */
void admin_fail(struct admin_service *s, struct rpc_call *call, const struct error *err);

/* The common part of both status answers; everything borrowed from itself. */
struct admin_common {
    AdminHealth__Status status;
    AdminHealth__TopologyQueueStatus queues;
    Google__Protobuf__Duration uptime;
    AdminHealth__Status__PortsEntry ports[ADMIN_PORTS_MAX], *ports_at[ADMIN_PORTS_MAX];
    AdminHealth__ComponentStatus component, *components_at[1];
    AdminHealth__ComponentStatus__StatusData data;
    AdminHealth__NotInitialized not_initialized;
    char port_names[ADMIN_PORTS_MAX][16];
};
void admin_common_fill(struct admin_service *s, struct admin_status *st, struct admin_common *out);
#endif
