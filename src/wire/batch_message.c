/* batch_message.c: a compressed batch inside the messages that carry it. */
#include "wire/batch_message.h"

#include "wire/own.h"

bool batch_from_message(const P31__CompressedBatch *m, struct compressed_batch *out,
                        struct error *err)
{
    *out = (struct compressed_batch){.algorithm = (int)m->algorithm};
    if (out->algorithm != 0 && out->algorithm != 1)
        return error_set(err, ERR_MALFORMED, NULL, "unknown compression algorithm %d",
                         out->algorithm);
    if (!own_bytes(bytes_pb(m->compressed_recipients), &out->recipients, err) ||
        !own_array(m->n_compressed_envelopes, sizeof(*out->envelopes), &out->envelopes, err)) {
        compressed_batch_free(out);
        return false;
    }
    out->n = m->n_compressed_envelopes;
    for (size_t i = 0; i < out->n; i++) {
        if (!own_bytes(bytes_pb(m->compressed_envelopes[i]), &out->envelopes[i], err)) {
            compressed_batch_free(out);
            return false;
        }
    }
    return true;
}

bool batch_to_message(const struct compressed_batch *b, P31__CompressedBatch *out,
                      struct error *err)
{
    p31__compressed_batch__init(out);
    out->algorithm = (P30__CompressedBatch__CompressionAlgorithm)b->algorithm;
    out->compressed_recipients = pb_bytes(buffer_bytes(&b->recipients));
    if (!own_array(b->n, sizeof(*out->compressed_envelopes), &out->compressed_envelopes, err))
        return false;
    out->n_compressed_envelopes = b->n;
    for (size_t i = 0; i < b->n; i++)
        out->compressed_envelopes[i] = pb_bytes(buffer_bytes(&b->envelopes[i]));
    return true;
}
