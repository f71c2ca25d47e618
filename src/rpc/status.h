/* status.h: how a call ends, and the headers and trailers that travel with it.
 * The numbers are gRPC's own. Which one means what to a participant: spec of the wire, "gRPC
 * status". */
#ifndef RPC_STATUS_H
#define RPC_STATUS_H
#include "base/buffer.h"
#include "base/error.h"

enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    RPC_UNAUTHENTICATED = 16
};

/* Borrowed by the function that takes it, which copies. */
struct rpc_status {
    enum rpc_code code;
    const char *message; /* UTF-8; NULL is "" */
    struct bytes
        details; /* a serialised google.rpc.Status for `grpc-status-details-bin`, or empty */
};

/* One header or trailer. key: lower-case letters, digits, '_', '-', '.' (1 to 256 bytes); one that
 * ends in "-bin" carries any bytes (raw here, base64 is the wire's affair), any other printable
 * ASCII. Keys that begin with "grpc-" are gRPC's own. */
struct rpc_md {
    const char *key;
    struct bytes value;
};

/* "UNAVAILABLE"; a number outside of the enum is "UNKNOWN". Never NULL. */
const char *rpc_code_text(enum rpc_code code);

/* Fails (ERR_CONFIG, names the key) unless every entry may be sent. */
MUST_CHECK bool rpc_md_check(const struct rpc_md *md, size_t n, struct error *err);

/* What a caller of ours makes of a foreign status: UNAVAILABLE is ERR_UNAVAILABLE,
 * DEADLINE_EXCEEDED ERR_TIMEOUT, CANCELLED ERR_CLOSED, UNIMPLEMENTED ERR_UNSUPPORTED, NOT_FOUND
 * ERR_NOT_FOUND, RESOURCE_EXHAUSTED ERR_LIMIT, ABORTED ERR_OVERLOADED, INVALID_ARGUMENT
 * ERR_MALFORMED, INTERNAL, UNKNOWN and DATA_LOSS ERR_IO, all others ERR_REFUSED. Fills err "method:
 * CODE: message"; returns false. */
bool rpc_status_error(const char *method, enum rpc_code code, const char *message,
                      struct error *err);
#endif
