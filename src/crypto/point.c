/* point.c: -x^2 + y^2 = 1 + d x^2 y^2 over p = 2^255 - 19 has an x for the given y exactly when
 * (y^2 - 1) / (d y^2 + 1) is a square, that is, when (y^2 - 1)(d y^2 + 1) is one. */
#include "crypto/point.h"

#include <string.h>

#include <openssl/bn.h>

static const char p_hex[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
static const char d_hex[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

/* The y of all points of order 1, 2, 4 and 8, big-endian; the sign of x does not matter. */
static const char *const small_order_y[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000001",
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec",
    "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
    "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
};

static int is_small_order(const BIGNUM *y, BIGNUM *t)
{
    for (size_t i = 0; i < sizeof(small_order_y) / sizeof(small_order_y[0]); i++)
        if (BN_hex2bn(&t, small_order_y[i]) == 0 || BN_cmp(y, t) == 0)
            return 1;
    return 0;
}

bool ed25519_point_valid(const uint8_t b[ED25519_LEN])
{
    uint8_t y_bytes[ED25519_LEN];
    BN_CTX *ctx = BN_CTX_new();
    bool ok = false;

    if (ctx == NULL)
        return false;
    BN_CTX_start(ctx);
    BIGNUM *p = BN_CTX_get(ctx), *d = BN_CTX_get(ctx), *y = BN_CTX_get(ctx);
    BIGNUM *u = BN_CTX_get(ctx), *v = BN_CTX_get(ctx);

    memcpy(y_bytes, b, ED25519_LEN);
    y_bytes[ED25519_LEN - 1] &= 0x7f; /* the top bit is the sign of x */
    if (v == NULL || BN_hex2bn(&p, p_hex) == 0 || BN_hex2bn(&d, d_hex) == 0 ||
        BN_lebin2bn(y_bytes, ED25519_LEN, y) == NULL)
        goto out;
    if (BN_cmp(y, p) >= 0 || is_small_order(y, u))
        goto out;
    if (!BN_mod_sqr(u, y, p, ctx) || !BN_mod_mul(v, u, d, p, ctx) || !BN_sub_word(u, 1) ||
        !BN_add_word(v, 1) || !BN_mod_mul(u, u, v, p, ctx))
        goto out;
    ok = BN_kronecker(u, p, ctx) >= 0;
out:
    BN_CTX_end(ctx);
    BN_CTX_free(ctx);
    return ok;
}
