#include "config/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

void report_add(struct config_report *r, struct config_place at, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text) - 16, fmt, ap);
    va_end(ap);
    snprintf(text + strlen(text), 16, " [%s]", error_id(ERR_CONFIG));
    for (size_t i = 0; i < r->n; i++) {
        const struct config_problem *p = &r->problem[i];

        if (p->place.line == at.line && p->place.column == at.column && strcmp(p->text, text) == 0)
            return;
    }
    if (r->problem == NULL)
        r->problem = calloc(CONFIG_PROBLEM_MAX, sizeof(*r->problem));
    char *copy = r->problem != NULL && r->n < CONFIG_PROBLEM_MAX ? strdup(text) : NULL;

    if (copy == NULL) {
        r->n_more++;
        return;
    }
    r->problem[r->n++] = (struct config_problem){.place = at, .text = copy};
}

bool report_is_clean(const struct config_report *r)
{
    return r->n == 0 && r->n_more == 0;
}

static int by_place(const void *a, const void *b)
{
    const struct config_problem *x = a, *y = b;

    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    if (x->place.column != y->place.column)
        return x->place.column < y->place.column ? -1 : 1;
    return strcmp(x->text, y->text);
}

void report_sort(struct config_report *r)
{
    if (r->n > 1)
        qsort(r->problem, r->n, sizeof(*r->problem), by_place);
}

void config_report_print(const struct config_report *r, const char *path, FILE *to)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct config_problem *p = &r->problem[i];

        if (p->place.line > 0)
            fprintf(to, "%s:%d:%d: %s\n", path, p->place.line, p->place.column, p->text);
        else
            fprintf(to, "%s: %s\n", path, p->text);
    }
    if (r->n_more > 0)
        fprintf(to, "%s: %zu more problems; mend these first [%s]\n", path, r->n_more,
                error_id(ERR_CONFIG));
}

void config_report_free(struct config_report *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->problem[i].text);
    free(r->problem);
    *r = (struct config_report){0};
}
