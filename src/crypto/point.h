/* point.h: is a 32-byte string a point that an Ed25519 public key can be? The library below takes
 * any bytes; the protocol refuses what is off the curve, not reduced, or of small order. */
#ifndef CRYPTO_POINT_H
#define CRYPTO_POINT_H
#include <stdbool.h>
#include <stdint.h>

#define ED25519_LEN 32

bool ed25519_point_valid(const uint8_t b[ED25519_LEN]);
#endif
