#include "rpc/status.h"

#include <string.h>

static const char *const code_text[] = {
    [RPC_OK] = "OK",
    [RPC_CANCELLED] = "CANCELLED",
    [RPC_UNKNOWN] = "UNKNOWN",
    [RPC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [RPC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [RPC_NOT_FOUND] = "NOT_FOUND",
    [RPC_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [RPC_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [RPC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [RPC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [RPC_ABORTED] = "ABORTED",
    [RPC_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [RPC_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [RPC_INTERNAL] = "INTERNAL",
    [RPC_UNAVAILABLE] = "UNAVAILABLE",
    [RPC_DATA_LOSS] = "DATA_LOSS",
    [RPC_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

static const enum error_code code_error[] = {
    [RPC_OK] = ERR_NONE,
    [RPC_CANCELLED] = ERR_CLOSED,
    [RPC_UNKNOWN] = ERR_IO,
    [RPC_INVALID_ARGUMENT] = ERR_MALFORMED,
    [RPC_DEADLINE_EXCEEDED] = ERR_TIMEOUT,
    [RPC_NOT_FOUND] = ERR_NOT_FOUND,
    [RPC_ALREADY_EXISTS] = ERR_REFUSED,
    [RPC_PERMISSION_DENIED] = ERR_REFUSED,
    [RPC_RESOURCE_EXHAUSTED] = ERR_LIMIT,
    [RPC_FAILED_PRECONDITION] = ERR_REFUSED,
    [RPC_ABORTED] = ERR_OVERLOADED,
    [RPC_OUT_OF_RANGE] = ERR_REFUSED,
    [RPC_UNIMPLEMENTED] = ERR_UNSUPPORTED,
    [RPC_INTERNAL] = ERR_IO,
    [RPC_UNAVAILABLE] = ERR_UNAVAILABLE,
    [RPC_DATA_LOSS] = ERR_IO,
    [RPC_UNAUTHENTICATED] = ERR_REFUSED,
};
#define CODE_N (sizeof(code_text) / sizeof(code_text[0]))

const char *rpc_code_text(enum rpc_code code)
{
    return (unsigned)code < CODE_N ? code_text[code] : code_text[RPC_UNKNOWN];
}

bool rpc_status_error(const char *method, enum rpc_code code, const char *message,
                      struct error *err)
{
    enum error_code e = (unsigned)code < CODE_N ? code_error[code] : ERR_IO;

    return error_set(err, e, NULL, "%s: %s: %s", method, rpc_code_text(code),
                     message != NULL ? message : "");
}

static bool key_is_legal(const char *key)
{
    size_t n = strlen(key);

    return n >= 1 && n <= 256 && strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == n &&
           strncmp(key, "grpc-", 5) != 0;
}

static bool value_is_legal(const char *key, struct bytes v)
{
    size_t n = strlen(key);

    if (n > 4 && strcmp(key + n - 4, "-bin") == 0)
        return true;
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] < 0x20 || v.data[i] > 0x7e)
            return false;
    return true;
}

bool rpc_md_check(const struct rpc_md *md, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (md[i].key == NULL || !key_is_legal(md[i].key))
            return error_set(err, ERR_CONFIG, "lower-case letters, digits, '_', '-', '.'",
                             "header key %.64s may not be sent", md[i].key ? md[i].key : "(none)");
        if (!value_is_legal(md[i].key, md[i].value))
            return error_set(err, ERR_CONFIG, "use a key that ends in -bin for binary values",
                             "the value of header %.64s is not printable ASCII", md[i].key);
    }
    return true;
}
