/* fuzz_signed_content.c: the frame, and an acknowledgement in it. */
#include "fuzz.h"
#include "wire/signed_content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct signed_content c, back;
    struct buffer again = BUFFER_INIT, third = BUFFER_INIT;
    struct acknowledge a;
    struct error err;

    if (!signed_content_parse(bytes_of(data, size), &c, &err))
        return 0;
    MUST(signed_content_build(buffer_bytes(&c.content), &c.signature,
                              c.has_timestamp_of_signing_key ? &c.timestamp_of_signing_key : NULL,
                              &again, &err));
    MUST(signed_content_parse(buffer_bytes(&again), &back, &err));
    MUST(bytes_equal(buffer_bytes(&c.content), buffer_bytes(&back.content)));
    /* What was read of the signature, a session key's too, is written alike. */
    MUST((c.signature.delegation == NULL) == (back.signature.delegation == NULL));
    MUST(signed_content_build(
        buffer_bytes(&back.content), &back.signature,
        back.has_timestamp_of_signing_key ? &back.timestamp_of_signing_key : NULL, &third, &err));
    MUST(bytes_equal(buffer_bytes(&again), buffer_bytes(&third)));
    if (acknowledge_parse(buffer_bytes(&c.content), &a, &err))
        acknowledge_free(&a);
    signed_content_free(&back);
    signed_content_free(&c);
    buffer_free(&again);
    buffer_free(&third);
    return 0;
}
