/* fuzz_parameters.c: static parameters as they are served, and dynamic ones: what is taken means
 * the same when it is written again. */
#include <string.h>

#include "fuzz.h"
#include "topology/parameters.h"
#include "wire/precheck.h"

static void dynamic(struct bytes in)
{
    P30__DynamicSynchronizerParameters *m =
        wire_unpack(&p30__dynamic_synchronizer_parameters__descriptor, in, NULL);
    struct dynamic_parameters p, again;
    struct buffer out = BUFFER_INIT;
    struct error err;

    if (m != NULL && dynamic_parameters_from(m, &p, &err)) {
        MUST(dynamic_parameters_build(&p, &out, &err));
        wire_message_free(m);
        m = wire_unpack(&p30__dynamic_synchronizer_parameters__descriptor, buffer_bytes(&out),
                        &err);
        MUST(m != NULL && dynamic_parameters_from(m, &again, &err));
        MUST(memcmp(&p, &again, sizeof(p)) == 0);
    }
    wire_message_free(m);
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct static_parameters p, again;
    struct buffer out = BUFFER_INIT;
    struct error err;

    dynamic(bytes_of(data, size));
    if (!static_parameters_parse(bytes_of(data, size), &p, &err))
        return 0;
    MUST(static_parameters_build(&p, &out, &err));
    MUST(static_parameters_parse(buffer_bytes(&out), &again, &err));
    MUST(p.topology_change_delay_us == again.topology_change_delay_us && p.serial == again.serial);
    buffer_free(&out);
    return 0;
}
