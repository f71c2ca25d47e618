/* tls.h: certificates and keys of servers and channels, PEM files read once, when the server or
 * channel is opened. Each fault (file not readable, not PEM, key does not fit the certificate) is
 * one clear ERR_CONFIG that names the file. TLS 1.2 and 1.3, as gRPC core offers them. */
#ifndef RPC_TLS_H
#define RPC_TLS_H
#include "base/error.h"

enum rpc_client_auth {
    RPC_CLIENT_AUTH_NONE,     /* no certificate is asked for */
    RPC_CLIENT_AUTH_OPTIONAL, /* one that is shown must verify */
    RPC_CLIENT_AUTH_REQUIRED  /* without one the handshake fails */
};

/* Borrowed strings; all files PEM. */
struct rpc_tls_server {
    const char *cert_chain_file;  /* own certificate first */
    const char *private_key_file; /* not encrypted */
    const char *trust_file; /* what client certificates are verified with; needed unless NONE */
    enum rpc_client_auth client_auth;
};

struct rpc_tls_client {
    const char *trust_file;      /* NULL: the roots of the system */
    const char *cert_chain_file; /* own certificate, NULL for none; with private_key_file */
    const char *private_key_file;
    const char *server_name; /* expected name in place of the endpoint's host; NULL for that */
};
#endif
