/* tls.c: PEM files to gRPC credentials. gRPC says nothing about a bad file until the first
 * handshake fails, so everything is looked at here, with OpenSSL, when the server or channel is
 * opened. */
#include "rpc/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "rpc/core.h"

#define FILE_MAX (1 << 20)

/* The texts, NUL-terminated; the key's is wiped when released. */
struct pem {
    char *chain, *key, *trust;
};

static void pem_free(struct pem *p)
{
    if (p->key != NULL)
        OPENSSL_cleanse(p->key, strlen(p->key));
    free(p->chain);
    free(p->key);
    free(p->trust);
}

static bool file_read(const char *what, const char *path, char **out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = malloc(FILE_MAX + 1);
    ssize_t n = 0;
    size_t len = 0;
    int e = fd < 0 ? errno : 0;

    while (fd >= 0 && text != NULL && len <= FILE_MAX) {
        n = read(fd, text + len, FILE_MAX + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            e = errno;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    if (text != NULL && e == 0 && len <= FILE_MAX && memchr(text, '\0', len) == NULL) {
        text[len] = '\0';
        *out = text;
        return true;
    }
    free(text);
    if (text == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory to read %s", path);
    if (e != 0)
        return error_set(err, ERR_CONFIG, "check the path and that this account may read it",
                         "TLS %s %s: %s", what, path, strerror(e));
    return error_set(err, ERR_CONFIG, "it must be a PEM file",
                     "TLS %s %s: not a text file below 1 MiB", what, path);
}

/* No pass phrase is ever asked for. */
static int no_password(char *buf, int size, int rw, void *ctx)
{
    (void)buf;
    (void)size;
    (void)rw;
    (void)ctx;
    return -1;
}

/* The first certificate, and the number of all in *n. NULL: none, or a broken one. */
static X509 *certificates_parse(const char *text, int *n)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *first = NULL, *x;

    *n = 0;
    while (bio != NULL && (x = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
        if (first == NULL)
            first = x;
        else
            X509_free(x);
        (*n)++;
    }
    /* The end of the file is the one error that may be there. */
    if (*n > 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        X509_free(first);
        first = NULL;
    }
    ERR_clear_error();
    BIO_free(bio);
    return first;
}

static bool pair_check(const char *chain, const char *chain_file, const char *key,
                       const char *key_file, struct error *err)
{
    BIO *bio = BIO_new_mem_buf(key, -1);
    EVP_PKEY *k = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    int n;
    X509 *x = certificates_parse(chain, &n);
    bool ok = x != NULL && k != NULL && X509_check_private_key(x, k) == 1;

    if (x == NULL)
        error_set(err, ERR_CONFIG, "a PEM file, own certificate first",
                  "TLS certificate %s: no certificate in it, or a broken one", chain_file);
    else if (k == NULL)
        error_set(err, ERR_CONFIG, "a PEM file with one key without pass phrase",
                  "TLS private key %s: no usable key in it", key_file);
    else if (!ok)
        error_set(err, ERR_CONFIG, "the first certificate must be the one of this key",
                  "TLS private key %s does not belong to certificate %s", key_file, chain_file);
    ERR_clear_error();
    X509_free(x);
    EVP_PKEY_free(k);
    BIO_free(bio);
    return ok;
}

static bool pair_read(struct pem *p, const char *chain_file, const char *key_file,
                      struct error *err)
{
    if (chain_file == NULL || key_file == NULL)
        return error_set(err, ERR_CONFIG, "name both", "TLS: a certificate needs its private key");
    return file_read("certificate", chain_file, &p->chain, err) &&
           file_read("private key", key_file, &p->key, err) &&
           pair_check(p->chain, chain_file, p->key, key_file, err);
}

static bool trust_read(struct pem *p, const char *file, struct error *err)
{
    X509 *x;
    int n;

    if (!file_read("trust file", file, &p->trust, err))
        return false;
    x = certificates_parse(p->trust, &n);
    X509_free(x);
    return x != NULL || error_set(err, ERR_CONFIG, "a PEM file of CA certificates",
                                  "TLS trust file %s: no certificate in it, or a broken one", file);
}

static grpc_ssl_client_certificate_request_type request_type(enum rpc_client_auth a)
{
    switch (a) {
    case RPC_CLIENT_AUTH_OPTIONAL:
        return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    case RPC_CLIENT_AUTH_REQUIRED:
        return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    case RPC_CLIENT_AUTH_NONE:
        break;
    }
    return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
}

grpc_server_credentials *tls_server_credentials(const struct rpc_tls_server *t, struct error *err)
{
    grpc_server_credentials *creds = NULL;
    struct pem p = {0};

    if (t->client_auth != RPC_CLIENT_AUTH_NONE && t->trust_file == NULL) {
        error_set(err, ERR_CONFIG, "name the CA certificates of the clients",
                  "TLS: client certificates are asked for without a trust file");
        return NULL;
    }
    if (pair_read(&p, t->cert_chain_file, t->private_key_file, err) &&
        (t->client_auth == RPC_CLIENT_AUTH_NONE || trust_read(&p, t->trust_file, err))) {
        grpc_ssl_pem_key_cert_pair pair = {.private_key = p.key, .cert_chain = p.chain};
        grpc_ssl_server_certificate_config *config =
            grpc_ssl_server_certificate_config_create(p.trust, &pair, 1);
        grpc_ssl_server_credentials_options *options =
            grpc_ssl_server_credentials_create_options_using_config(request_type(t->client_auth),
                                                                    config);

        creds = grpc_ssl_server_credentials_create_with_options(options); /* takes both */
        if (creds == NULL)
            error_set(err, ERR_CONFIG, NULL, "TLS: gRPC refuses %s", t->cert_chain_file);
    }
    pem_free(&p);
    return creds;
}

grpc_channel_credentials *tls_client_credentials(const struct rpc_tls_client *t, struct error *err)
{
    static const struct rpc_tls_client none = {0};
    grpc_channel_credentials *creds = NULL;
    struct pem p = {0};
    bool has_pair;

    if (t == NULL)
        t = &none;
    has_pair = t->cert_chain_file != NULL || t->private_key_file != NULL;
    if ((t->trust_file == NULL || trust_read(&p, t->trust_file, err)) &&
        (!has_pair || pair_read(&p, t->cert_chain_file, t->private_key_file, err))) {
        grpc_ssl_pem_key_cert_pair pair = {.private_key = p.key, .cert_chain = p.chain};

        creds = grpc_ssl_credentials_create_ex(p.trust, has_pair ? &pair : NULL, NULL, NULL);
        if (creds == NULL)
            error_set(err, ERR_CONFIG, NULL, "TLS: gRPC refuses the client's certificates");
    }
    pem_free(&p);
    return creds;
}
