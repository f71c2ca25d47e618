/* clock.h: readings and text of time. Microseconds everywhere.
 * A "ts" is a place in the order; what these functions give are clock readings. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stdint.h>

#include "base/error.h"

#define US_PER_S  INT64_C(1000000)
#define US_PER_MS INT64_C(1000)
/* The valid range on the wire: year 1 to the last microsecond of year 9999. */
#define TS_MIN INT64_C(-62135596800000000)
#define TS_MAX INT64_C(253402300799999999)

int64_t clock_now_us(void);  /* since 1970-01-01 UTC; may jump */
int64_t clock_mono_us(void); /* since some start; never jumps: for waits and expiries */

#define CLOCK_TEXT_LEN 28
/* "2026-11-23T19:55:26.123456Z". out holds CLOCK_TEXT_LEN. */
void clock_format(int64_t us, char *out);
/* The reverse; the fraction may have up to 6 digits or be left out. False: not such a text. */
MUST_CHECK bool clock_parse(const char *text, int64_t *us);
#endif
