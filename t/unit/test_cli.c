#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/print.h"

struct result {
    int code;
    char out[8192], err[4096];
};

/* Runs `lockstep ARG...`; the list ends with NULL. */
static struct result lockstep(const char *first, ...)
{
    struct result r = {0};
    char *argv[16] = {(char *)"lockstep", (char *)(uintptr_t)first};
    FILE *out = tmpfile(), *err = tmpfile();
    int argc = 2;
    va_list ap;

    va_start(ap, first);
    while (argc < 15 && (argv[argc] = va_arg(ap, char *)) != NULL)
        argc++;
    va_end(ap);
    r.code = cli_main(first != NULL ? argc : 1, argv, out, err);
    rewind(out);
    rewind(err);
    (void)!fread(r.out, 1, sizeof(r.out) - 1, out);
    (void)!fread(r.err, 1, sizeof(r.err) - 1, err);
    fclose(out);
    fclose(err);
    return r;
}

static char *write_file(const char *text)
{
    static char path[64];
    int fd;

    strcpy(path, "/tmp/lockstep-cli-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void wrong_usage_ends_with_2(void **state)
{
    struct result r = lockstep(NULL, NULL);

    (void)state;
    assert_int_equal(r.code, CLI_USAGE);
    r = lockstep("confg", NULL);
    assert_int_equal(r.code, CLI_USAGE);
    assert_non_null(strstr(r.err, "did you mean config?"));
    r = lockstep("config", "chekc", NULL);
    assert_int_equal(r.code, CLI_USAGE);
    r = lockstep("config", "check", "--nonsense", NULL);
    assert_int_equal(r.code, CLI_USAGE);
    assert_non_null(strstr(r.err, "unknown option --nonsense"));
    r = lockstep("config", "check", "-c", NULL);
    assert_int_equal(r.code, CLI_USAGE);
    assert_non_null(strstr(r.err, "needs a value"));
    r = lockstep("config", "check", "-o", "xml", NULL);
    assert_int_equal(r.code, CLI_USAGE);
    r = lockstep("config", "check", "extra", NULL);
    assert_int_equal(r.code, CLI_USAGE);
}

static void every_command_has_help(void **state)
{
    const struct cli_family *f;

    (void)state;
    assert_int_equal(lockstep("--help", NULL).code, CLI_OK);
    assert_int_equal(lockstep("--version", NULL).code, CLI_OK);
    for (size_t i = 0; (f = cli_family_at(i)) != NULL; i++)
        for (const struct cli_command *c = f->commands; c->name != NULL; c++) {
            struct result r = c->name[0] != '\0' ? lockstep(f->name, c->name, "--help", NULL)
                                                 : lockstep(f->name, "--help", NULL);

            assert_int_equal(r.code, CLI_OK);
            assert_non_null(strstr(r.out, c->summary));
            assert_non_null(strstr(r.out, "--output"));
        }
}

/* The manual names every command, and every option of it. */
static void the_manual_page_lists_every_command(void **state)
{
    const char *srcdir = getenv("srcdir");
    const struct cli_family *f;
    char path[1024], wanted[160];
    char *page = calloc(1, 1 << 18);

    (void)state;
    snprintf(path, sizeof(path), "%s/man/lockstep.1", srcdir != NULL ? srcdir : ".");
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    assert_true(fread(page, 1, (1 << 18) - 1, file) > 0);
    fclose(file);
    for (size_t i = 0; (f = cli_family_at(i)) != NULL; i++)
        for (const struct cli_command *c = f->commands; c->name != NULL; c++) {
            snprintf(wanted, sizeof(wanted), "\n.It Ic %s%s%s", f->name,
                     c->name[0] != '\0' ? " " : "", c->name);
            char *item = strstr(page, wanted);

            if (item == NULL) {
                fail_msg("lockstep(1) lacks: %s %s", f->name, c->name);
                return;
            }
            char *end = strstr(item + 1, "\n.It Ic ");
            char *text = strndup(item, end != NULL ? (size_t)(end - item) : strlen(item));

            for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
                snprintf(wanted, sizeof(wanted), "Fl Fl %s", o->name);
                if (strstr(text, wanted) == NULL)
                    fail_msg("lockstep(1), %s %s: lacks --%s", f->name, c->name, o->name);
            }
            free(text);
        }
    free(page);
}

static void a_bad_configuration_ends_with_78(void **state)
{
    char *path = write_file("sequencers: {s: {}}\n");
    struct result r = lockstep("config", "check", "-c", path, NULL);

    (void)state;
    assert_int_equal(r.code, CLI_BAD_CONFIG);
    assert_non_null(strstr(r.err, ":1:14: sequencers.s.storage.type: missing"));
    unlink(path);
    r = lockstep("config", "check", "-c", "/nowhere/x.yaml", NULL);
    assert_int_equal(r.code, CLI_BAD_CONFIG);
    assert_non_null(strstr(r.err, "/nowhere/x.yaml: cannot be read: No such file"));
}

static void a_good_configuration_lists_its_nodes(void **state)
{
    char *path = write_file("participants: {p: {storage: {type: sqlite, file: /p.db}, api: {port: "
                            "7}, synchronizers: {s: \"http://h:1\"}}}\n");
    struct result r = lockstep("config", "check", "-c", path, "-o", "json", NULL);

    (void)state;
    assert_int_equal(r.code, CLI_OK);
    assert_string_equal(r.out, "[{\"node\":\"p\",\"kind\":\"participant\",\"storage\":\"sqlite\","
                               "\"schema\":\"/p.db\",\"api\":\"127.0.0.1:7\"}]\n");
    r = lockstep("config", "check", "-c", path, NULL);
    assert_string_equal(r.out, "node  kind         storage  schema  api\n"
                               "p     participant  sqlite   /p.db   127.0.0.1:7\n");
    unlink(path);
}

static void documents_print_in_three_ways(void **state)
{
    json_t *doc = json_pack("{s:s, s:[{s:i, s:s}, {s:i, s:s}], s:[s,s]}", "name", "x\x1b[2J",
                            "rows", "a", 1, "b", "one", "a", 22, "b", "t", "list", "p", "q");
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    assert_true(print_document(f, doc, CLI_TABLE));
    assert_true(print_document(f, doc, CLI_YAML));
    assert_true(print_document(f, doc, CLI_JSON));
    fclose(f);
    assert_string_equal(text, "name  x\\x1b[2J\nlist  p, q\n\nrows\na   b\n1   one\n22  t\n"
                              "name: \"x\\u001B[2J\"\nrows:\n  - a: 1\n    b: \"one\"\n"
                              "  - a: 22\n    b: \"t\"\nlist:\n  - \"p\"\n  - \"q\"\n"
                              "{\"name\":\"x\\u001B[2J\",\"rows\":[{\"a\":1,\"b\":\"one\"},"
                              "{\"a\":22,\"b\":\"t\"}],\"list\":[\"p\",\"q\"]}\n");
    free(text);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage_ends_with_2),
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(the_manual_page_lists_every_command),
        cmocka_unit_test(a_bad_configuration_ends_with_78),
        cmocka_unit_test(a_good_configuration_lists_its_nodes),
        cmocka_unit_test(documents_print_in_three_ways),
    };

    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
