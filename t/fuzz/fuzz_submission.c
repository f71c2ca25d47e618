/* fuzz_submission.c: a submission is parsed, opened, identified, sealed anew. */
#include "fuzz.h"
#include "wire/submission.h"

#define LIMIT 65536

static void with_batch(const struct submission *s)
{
    struct compressed_batch sealed;
    struct batch b, again;
    struct hash id, id_again;
    struct error err;

    if (!batch_open(&s->batch, LIMIT, &b, &err))
        return;
    MUST(aggregation_id(s, &b, &id, &err));
    MUST(batch_seal(&b, &sealed, &err));
    MUST(batch_open(&sealed, 4 * LIMIT, &again, &err));
    MUST(aggregation_id(s, &again, &id_again, &err));
    MUST(hash_equal(&id, &id_again));
    compressed_batch_free(&sealed);
    batch_free(&again);
    batch_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct submission s, back;
    struct error err;

    if (!submission_parse(bytes_of(data, size), &s, &err))
        return 0;
    with_batch(&s);
    MUST(submission_build(&s, &err));
    MUST(submission_parse(buffer_bytes(&s.raw), &back, &err));
    MUST(back.rule.kind == s.rule.kind && back.has_cost == s.has_cost);
    submission_free(&back);
    submission_free(&s);
    return 0;
}
