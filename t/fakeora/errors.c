/* errors.c: what Oracle says where PostgreSQL and psqlODBC say something. By SQLSTATE; psqlODBC's
 * own errors, and libpq's while connecting, are known by their text only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/fakeora/fakeora.h"

struct row {
    const char *state; /* or the beginning of one */
    const char *text;  /* or NULL: any */
    int native;
    const char *says;
};

static const struct row answers[] = {
    /* two sessions that make one object: PostgreSQL tells the later by an index of its catalogue */
    {"23505", "\"pg_", 955, "name is already used by an existing object"},
    {"23505", NULL, 1, "unique constraint violated"},
    {"23503", "still referenced", 2292, "integrity constraint violated - child record found"},
    {"23503", NULL, 2291, "integrity constraint violated - parent key not found"},
    {"23502", "UPDATE", 1407, "cannot update to NULL"},
    {"23502", NULL, 1400, "cannot insert NULL"},
    {"23514", "value for domain", 12899, "value too large for column"},
    {"23514", NULL, 2290, "check constraint violated"},
    {"42P01", NULL, 942, "table or view does not exist"},
    {"3F000", NULL, 942, "table or view does not exist"},
    {"42P07", NULL, 955, "name is already used by an existing object"},
    {"42710", NULL, 2275, "such a referential constraint already exists in the table"},
    {"42701", NULL, 1430, "column being added already exists in table"},
    {"42P16", "multiple primary keys", 2260, "table can have only one primary key"},
    {"42704", "index", 1418, "specified index does not exist"},
    {"42703", NULL, 904, "invalid identifier"},
    {"42702", NULL, 918, "column ambiguously defined"},
    {"42883", NULL, 904, "invalid identifier"},
    {"42804", NULL, 932, "inconsistent datatypes"},
    {"42803", NULL, 979, "not a GROUP BY expression"},
    {"42501", NULL, 1031, "insufficient privileges"},
    {"42601", NULL, 933, "SQL command not properly ended"},
    {"0A000", "FOR UPDATE", 2014,
     "cannot select FOR UPDATE from view with DISTINCT, GROUP BY, etc."},
    {"22001", NULL, 12899, "value too large for column"},
    {"22003", NULL, 1438, "value larger than specified precision allowed for this column"},
    {"22P02", NULL, 1722, "invalid number"},
    {"22012", NULL, 1476, "divisor is equal to zero"},
    {"21000", "MERGE", 30926, "unable to get a stable set of rows in the source tables"},
    {"21000", NULL, 1427, "single-row subquery returns more than one row"},
    {"XX000", "concurrently updated", 54, "resource busy"},
    {"55P03", NULL, 54, "resource busy and acquire with NOWAIT specified or timeout expired"},
    {"40P01", NULL, 60, "deadlock detected while waiting for resource"},
    {"40001", NULL, 8177, "can't serialize access for this transaction"},
    {"57014", NULL, 1013, "user requested cancel of current operation"},
    {"HYT00", NULL, 1013, "user requested cancel of current operation"},
    {"25006", NULL, 16000, "database or pluggable database open for read-only access"},
    {"25P03", NULL, 2396, "exceeded maximum idle time, please connect again"},
    {"53100", NULL, 1653, "unable to extend table in tablespace"},
    {"53200", NULL, 4030, "out of process memory"},
    {"57P01", NULL, 3113, "end-of-file on communication channel"},
    {"57P02", NULL, 3113, "end-of-file on communication channel"},
    {"08", NULL, 3113, "end-of-file on communication channel"},
    {"", "server closed the connection", 3113, "end-of-file on communication channel"},
    {"", "terminating connection", 3113, "end-of-file on communication channel"},
    {"", "no connection to the server", 3113, "end-of-file on communication channel"},
    {"", "connection not open", 3113, "end-of-file on communication channel"},
    {"", "Could not send", 3113, "end-of-file on communication channel"},
    {"", "could not receive data", 3113, "end-of-file on communication channel"},
    {"", "could not send data", 3113, "end-of-file on communication channel"},
    {"", "communication link failure", 3113, "end-of-file on communication channel"},
    {"", "SSL SYSCALL", 3113, "end-of-file on communication channel"},
};

static const struct row refusals[] = {
    {"", "authentication failed", 1017, "invalid username/password; logon denied"},
    {"", "no password supplied", 1005, "null password given; logon denied"},
    {"", "role \"", 1017, "invalid username/password; logon denied"},
    {"", "does not exist", 12514, "TNS:listener does not currently know of service requested"},
    {"", "starting up", 1033, "ORACLE initialization or shutdown in progress"},
    {"", "recovery mode", 1033, "ORACLE initialization or shutdown in progress"},
    {"", "shutting down", 1089, "immediate shutdown or close in progress"},
    {"", "too many clients", 18, "maximum number of sessions exceeded"},
    {"", "remaining connection slots", 18, "maximum number of sessions exceeded"},
    {"", "read-only", 12514, "TNS:listener does not currently know of service requested"},
    {"", "hot standby", 12514, "TNS:listener does not currently know of service requested"},
    {"", "timeout expired", 12170, "TNS:Connect timeout occurred"},
    {"", "timed out", 12170, "TNS:Connect timeout occurred"},
    {"", "could not translate host name", 12545,
     "Connect failed because target host or object does not exist"},
    {"", "server closed the connection", 12537, "TNS:connection closed"},
    {"", "", 12541, "TNS:no listener"},
};

static const struct {
    int native;
    const char *state;
} states[] = {
    {1, "23000"},    {1400, "23000"}, {1407, "23000"}, {2290, "23000"},  {2291, "23000"},
    {2292, "23000"}, {942, "42S02"},  {955, "42S01"},  {1430, "42S21"},  {904, "42S22"},
    {1418, "42S12"}, {900, "42000"},  {902, "42000"},  {903, "42000"},   {905, "42000"},
    {906, "42000"},  {907, "42000"},  {911, "42000"},  {922, "42000"},   {923, "42000"},
    {925, "42000"},  {928, "42000"},  {933, "42000"},  {936, "42000"},   {1017, "28000"},
    {1005, "28000"}, {1722, "22018"}, {1476, "22012"}, {12154, "08004"},
};

bool ora_is_lost(int native)
{
    static const int lost[] = {28,   1012, 1033, 1034,  1089,  1090,  1092, 2396,
                               3113, 3114, 3135, 12153, 12537, 12571, 25408};

    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
        if (lost[i] == native)
            return true;
    return false;
}

void diag_set(struct ora_diag *d, const char *state, int native, const char *text)
{
    d->is_set = true;
    d->native = native;
    snprintf(d->state, sizeof(d->state), "%s", state);
    if (native)
        snprintf(d->text, sizeof(d->text), "[Oracle][ODBC][Ora]ORA-%05d: %s", native, text);
    else
        snprintf(d->text, sizeof(d->text), "[Oracle][ODBC]%s", text);
}

void diag_ora(struct ora_diag *d, int native, const char *text)
{
    const char *state = native == 1013 ? "HY008" : "HY000";

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (states[i].native == native)
            state = states[i].state;
    diag_set(d, state, native, text);
}

static bool row_means(const struct row *r, const char *state, const char *text)
{
    return strncmp(state, r->state, strlen(r->state)) == 0 && (!r->text || strstr(text, r->text));
}

void diag_translate(struct ora_diag *d, const char *state, const char *text, bool is_connecting)
{
    const struct row *rows = is_connecting ? refusals : answers;
    const size_t n = is_connecting ? sizeof(refusals) / sizeof(refusals[0])
                                   : sizeof(answers) / sizeof(answers[0]);
    const char *own = strstr(text, "ORA-"); /* raised by a function of objects.sql */

    if (own && strlen(own) > 11 && own[9] == ':') {
        char says[200];
        snprintf(says, sizeof(says), "%.*s", (int)strcspn(own + 11, ";\n"), own + 11);
        diag_ora(d, atoi(own + 4), says);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (row_means(&rows[i], state, text)) {
            /* PostgreSQL's words behind Oracle's: who reads a failed test wants them */
            char says[400];
            snprintf(says, sizeof(says), "%s (%s: %.300s)", rows[i].says, state, text);
            diag_ora(d, rows[i].native, says);
            return;
        }
    }
    diag_set(d, state[0] ? state : "HY000", 0, text);
}
