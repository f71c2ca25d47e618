/* timestamps.h: google.protobuf.Timestamp from and to microseconds. */
#ifndef TOPOLOGY_TIMESTAMPS_H
#define TOPOLOGY_TIMESTAMPS_H
#include "google/protobuf/timestamp.pb-c.h"
#include "wire/ids.h"

static inline bool ts_read(const Google__Protobuf__Timestamp *m, const char *what, int64_t *out,
                           struct error *err)
{
    if (m == NULL)
        return error_set(err, ERR_MALFORMED, NULL, "%s is missing", what);
    if (m->seconds < TS_MIN / 1000000 || m->seconds > TS_MAX / 1000000 || m->nanos < 0 ||
        m->nanos > 999999999)
        return error_set(err, ERR_MALFORMED, NULL, "%s is out of range", what);
    *out = m->seconds * 1000000 + m->nanos / 1000;
    return true;
}

static inline Google__Protobuf__Timestamp ts_message(int64_t us)
{
    Google__Protobuf__Timestamp m = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    int64_t rest = us % 1000000;

    if (rest < 0)
        rest += 1000000;
    m.seconds = (us - rest) / 1000000;
    m.nanos = (int32_t)(rest * 1000);
    return m;
}
#endif
