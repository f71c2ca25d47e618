/* catalogue_table.h: what the build makes of sql/ (gen/sql_catalogue.c). Only for catalogue.c. */
#ifndef STORAGE_CATALOGUE_TABLE_H
#define STORAGE_CATALOGUE_TABLE_H
#include "storage/catalogue.h"

struct catalogue_table {
    const struct statement *statements; /* sorted by name */
    size_t nstatements;
    const struct migration *migrations; /* sorted by version */
    size_t nmigrations;
    const char *const *setup; /* texts of schema_sql.h, with {marks} */
    size_t nsetup;
    const char *const *grants;
    size_t ngrants;
};

extern const struct catalogue_table catalogue_tables[DIALECT_N];
#endif
