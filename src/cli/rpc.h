/* rpc.h: a command's connection to one server: the admin API of a node, or a participant's API.
 * Options: CLI_SERVER_OPTIONS. Threads: one. */
#ifndef CLI_RPC_H
#define CLI_RPC_H
#include <protobuf-c/protobuf-c.h>

#include "cli/cli.h"
#include "rpc/client.h"

struct cli_server;

/* Opens a channel to "HOST:PORT" (or an http:// or https:// URL); TLS as --tls-* say. Does not
 * wait. The caller owns *out. Fails: ERR_CONFIG, ERR_MEMORY. */
MUST_CHECK bool cli_connect(struct cli *cli, const char *address, struct cli_server **out,
                            struct error *err);
void cli_disconnect(struct cli_server *s); /* NULL is allowed */
const char *cli_server_address(const struct cli_server *s);
/* --timeout, or its default of 10 s; microseconds. */
int64_t cli_server_timeout(const struct cli_server *s);
/* Another default than 10 s, for a command whose work takes longer; --timeout still wins. */
void cli_server_wait(struct cli_server *s, int64_t timeout_us);

/* One unary call: packs request, waits, unpacks the reply (wire_message_free). NULL: err says why:
 * ERR_UNAVAILABLE (no answer; names the address), ERR_UNSUPPORTED (the server lacks the method),
 * else as rpc_status_error. */
MUST_CHECK void *cli_call(struct cli_server *s, const char *path, const void *request,
                          const ProtobufCMessageDescriptor *reply, struct error *err);

/* A server stream: fn gets each message unpacked and returns whether to go on. Ends true when fn
 * has had enough or the server ended with OK. deadline_us: monotonic. Fails: ERR_TIMEOUT, and as
 * cli_call. */
typedef bool cli_message_fn(void *ctx, const void *message);
MUST_CHECK bool cli_stream(struct cli_server *s, const char *path, const void *request,
                           const ProtobufCMessageDescriptor *message, int64_t deadline_us,
                           cli_message_fn *fn, void *ctx, struct error *err);
#endif
