/* bind.h: values to the placeholders of a prepared statement, and back what a driver says of an
 * array. Internal to storage/. */
#ifndef STORAGE_BIND_H
#define STORAGE_BIND_H
#include "storage/conn.h"

/* Many rows are one text with placeholders for each (the first `padded` of them), or, where the
 * dialect has arrays, one row of placeholders bound to k->nrows values each. */
MUST_CHECK bool bind_all(struct conn *c, SQLHSTMT h, const struct call *k, struct error *err);
/* An array: each row of it is an INSERT of one, so nrows were written when none failed; what a
 * driver says of the count is not to be relied on. */
bool bind_is_array(const struct conn *c, const struct call *k);
/* Behind an execution: the handle is for single rows again. False when a row of the array failed
 * though the call did not. */
bool bind_done(struct conn *c, SQLHSTMT h, const struct call *k, bool has_failed);
void bind_free(struct conn *c);
/* A number that came as text. False: it is none. */
bool digits_parse(const char *text, int64_t *out);
#endif
