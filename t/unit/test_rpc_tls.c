/* test_rpc_tls.c: TLS with certificates made here: server alone, client certificates optional and
 * required, wrong authorities, and one clear error for each bad file. */
#include "rpc_fixture.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* A folder of files; two authorities, a server, two clients. */
struct certs {
    char dir[64];
    char ca[96], other_ca[96], server[96], server_key[96], client[96], client_key[96];
    char stranger[96], stranger_key[96], broken[96], absent[96];
};

static void pem_write(const char *path, X509 *x, EVP_PKEY *key)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    if (x != NULL)
        assert_int_equal(PEM_write_X509(f, x), 1);
    if (key != NULL)
        assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(f), 0);
}

static void extension_add(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* issuer NULL: signs itself and is an authority. */
static X509 *certificate(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);

    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), (long)strlen(cn) + 7), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 3600));
    assert_int_equal(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : name),
                     1);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    if (issuer == NULL)
        extension_add(x, NID_basic_constraints, "critical,CA:TRUE");
    else
        extension_add(x, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    assert_true(X509_sign(x, issuer_key != NULL ? issuer_key : key, EVP_sha256()) > 0);
    return x;
}

static void certs_make(struct certs *c)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *other_key = EVP_EC_gen("P-256");
    EVP_PKEY *server_key = EVP_EC_gen("P-256"), *client_key = EVP_EC_gen("P-256");
    X509 *ca = certificate("authority", ca_key, NULL, NULL);
    X509 *other = certificate("another", other_key, NULL, NULL);
    X509 *server = certificate("server", server_key, ca, ca_key);
    X509 *client = certificate("operator", client_key, ca, ca_key);
    X509 *stranger = certificate("stranger", client_key, other, other_key);
    const char *tmp = getenv("TMPDIR");
    FILE *f;

    snprintf(c->dir, sizeof(c->dir), "%.40s/ls-tls-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(c->dir));
#define PATH(field) snprintf(c->field, sizeof(c->field), "%s/%s.pem", c->dir, #field)
    PATH(ca);
    PATH(other_ca);
    PATH(server);
    PATH(server_key);
    PATH(client);
    PATH(client_key);
    PATH(stranger);
    PATH(stranger_key);
    PATH(broken);
    PATH(absent);
#undef PATH
    pem_write(c->ca, ca, NULL);
    pem_write(c->other_ca, other, NULL);
    pem_write(c->server, server, NULL);
    pem_write(c->server_key, NULL, server_key);
    pem_write(c->client, client, NULL);
    pem_write(c->client_key, NULL, client_key);
    pem_write(c->stranger, stranger, NULL);
    pem_write(c->stranger_key, NULL, client_key);
    f = fopen(c->broken, "w");
    assert_non_null(f);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f);
    assert_int_equal(fclose(f), 0);
    X509_free(ca);
    X509_free(other);
    X509_free(server);
    X509_free(client);
    X509_free(stranger);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(server_key);
    EVP_PKEY_free(client_key);
}

static void certs_remove(struct certs *c)
{
    const char *file[] = {c->ca,         c->other_ca, c->server,       c->server_key, c->client,
                          c->client_key, c->stranger, c->stranger_key, c->broken};

    for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++)
        assert_int_equal(unlink(file[i]), 0);
    assert_int_equal(rmdir(c->dir), 0);
}

/* Answers with the client's certified name, "-" without. */
static void who(void *ctx, struct rpc_call *call)
{
    const char *name = rpc_call_peer_name(call);

    (void)ctx;
    rpc_call_reply(call, bytes_str(name != NULL ? name : "-"));
}

static void secure_pair(struct pair *p, const struct certs *c, enum rpc_client_auth auth)
{
    struct rpc_tls_server tls = {.cert_chain_file = c->server,
                                 .private_key_file = c->server_key,
                                 .trust_file = c->ca,
                                 .client_auth = auth};

    pair_open(p, NULL);
    pair_method(p, "/t.S/Who", RPC_UNARY, who, NULL);
    pair_listen(p, &tls);
}

/* NULL: no connection. */
static char *who_am_i(struct pair *p, const char *scheme, const struct rpc_tls_client *tls)
{
    struct rpc_channel *ch = channel_to(p, (struct rpc_channel_config){.tls = tls}, scheme);
    struct rpc_request rq = {.method = "/t.S/Who", .timeout_us = WAIT_US};
    struct rpc_result *r;
    struct error err;
    char *name = NULL;

    /* Without wait_for_ready the call fails with the first failed handshake. */
    must_ok(rpc_unary_wait(ch, &rq, &r, &err), &err);
    if (r->code == RPC_OK)
        name = strndup((const char *)r->reply.data, r->reply.len);
    else
        assert_int_equal(r->code, RPC_UNAVAILABLE);
    rpc_result_free(r);
    rpc_channel_close(ch);
    return name;
}

static void assert_who(struct pair *p, const char *scheme, const struct rpc_tls_client *tls,
                       const char *expected)
{
    char *name = who_am_i(p, scheme, tls);

    if (expected == NULL) {
        assert_null(name);
    } else {
        assert_non_null(name);
        assert_string_equal(name, expected);
    }
    free(name);
}

static void certificates_decide_who_may_talk(void **state)
{
    struct certs *c = *state;
    struct rpc_tls_client anonymous = {.trust_file = c->ca};
    struct rpc_tls_client wrong_trust = {.trust_file = c->other_ca};
    struct rpc_tls_client wrong_name = {.trust_file = c->ca, .server_name = "example.org"};
    struct rpc_tls_client by_name = {.trust_file = c->ca, .server_name = "localhost"};
    struct rpc_tls_client operator_ = {
        .trust_file = c->ca, .cert_chain_file = c->client, .private_key_file = c->client_key};
    struct rpc_tls_client stranger = {
        .trust_file = c->ca, .cert_chain_file = c->stranger, .private_key_file = c->stranger_key};
    struct pair p;

    secure_pair(&p, c, RPC_CLIENT_AUTH_NONE);
    assert_who(&p, "https", &anonymous, "-");
    assert_who(&p, "https", &by_name, "-");
    assert_who(&p, "https", &operator_, "-"); /* not asked for */
    assert_who(&p, "https", &wrong_trust, NULL);
    assert_who(&p, "https", &wrong_name, NULL);
    assert_who(&p, "http", NULL, NULL);
    pair_close(&p);
    secure_pair(&p, c, RPC_CLIENT_AUTH_OPTIONAL);
    assert_who(&p, "https", &anonymous, "-");
    assert_who(&p, "https", &operator_, "operator");
    assert_who(&p, "https", &stranger, NULL);
    pair_close(&p);
    secure_pair(&p, c, RPC_CLIENT_AUTH_REQUIRED);
    assert_who(&p, "https", &operator_, "operator");
    assert_who(&p, "https", &anonymous, NULL);
    assert_who(&p, "https", &stranger, NULL);
    pair_close(&p);
}

static void assert_server_refuses(struct pair *p, struct rpc_tls_server tls, const char *names)
{
    struct error err;

    assert_false(rpc_server_listen(p->server, "127.0.0.1", 0, &tls, NULL, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.cause, names));
}

static void a_bad_file_is_named(void **state)
{
    struct certs *c = *state;
    struct rpc_tls_server good = {.cert_chain_file = c->server, .private_key_file = c->server_key};
    struct rpc_tls_server t;
    struct rpc_tls_client client = {.trust_file = c->broken};
    struct rpc_channel_config config = {.endpoint = "https://127.0.0.1:1", .tls = &client};
    struct rpc_channel *ch;
    struct error err;
    struct pair p;

    pair_open(&p, NULL);
    t = good;
    t.cert_chain_file = c->absent;
    assert_server_refuses(&p, t, c->absent);
    t.cert_chain_file = c->broken;
    assert_server_refuses(&p, t, c->broken);
    t.cert_chain_file = c->dir;
    assert_server_refuses(&p, t, c->dir);
    t.cert_chain_file = NULL;
    assert_server_refuses(&p, t, "private key");
    t = good;
    t.private_key_file = c->server; /* no key in it */
    assert_server_refuses(&p, t, c->server);
    t.private_key_file = c->client_key;
    assert_server_refuses(&p, t, "does not belong");
    t = good;
    t.client_auth = RPC_CLIENT_AUTH_REQUIRED;
    assert_server_refuses(&p, t, "trust file");
    t.trust_file = c->broken;
    assert_server_refuses(&p, t, c->broken);
    assert_false(rpc_channel_open(p.loop, &config, NULL, NULL, &ch, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.cause, c->broken));
    pair_close(&p);
}

int main(void)
{
    struct certs c;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(certificates_decide_who_may_talk, &c),
        cmocka_unit_test_prestate(a_bad_file_is_named, &c),
    };
    int rc;

    certs_make(&c);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    certs_remove(&c);
    return rc;
}
