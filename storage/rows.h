/* rows.h: one text for many rows, and several texts for one act. Internal to storage/. */
#ifndef STORAGE_ROWS_H
#define STORAGE_ROWS_H
#include "storage/conn.h"

/* True when the text takes rows. */
bool step_has_rows(const struct step *s);
/* Runs the text k->step for each of the rows, in as few calls as the dialect allows. *is_single
 * (set by the caller at the first attempt to false): one row a call. It becomes true, and the
 * failure ERR_RETRY, when an array failed and nobody can say why: the transaction is to be rolled
 * back, and run again row by row. */
MUST_CHECK bool rows_exec(struct conn *c, struct call *k, const struct value *values, size_t nrows,
                          bool *is_single, int64_t *affected, struct error *err);
/* All texts of a statement that is not fenced, within a transaction or (one text, or `texts:
 * first`) without: until one changes a row, or all. *affected: of that one; of the first. */
MUST_CHECK bool texts_exec(struct conn *c, struct call *k, int64_t *affected, bool *has_warned,
                           struct error *err);
#endif
