/* print.h: a document as a table, JSON or YAML. Private to cli. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"

/* False when to could not be written. */
bool print_document(FILE *to, const json_t *doc, enum cli_format format);
const char *cli_version(void);
#endif
