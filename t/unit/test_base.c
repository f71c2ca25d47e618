#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/random.h"

static void an_error_says_cause_advice_and_id(void **state)
{
    struct error e;
    char text[256];

    (void)state;
    assert_false(error_set(&e, ERR_FENCED, "start again", "epoch %d", 42));
    assert_false(error_add(&e, "lease %s", "m"));
    error_format(&e, text, sizeof(text));
    assert_string_equal(text, "lease m: epoch 42; start again [LS-FENCED]");
}

static void utf8_refuses_nul_long_forms_and_surrogates(void **state)
{
    (void)state;
    assert_true(utf8_valid(bytes_str("h\xc3\xa9llo \xf0\x9f\x94\x92")));
    assert_false(utf8_valid(bytes_of("a\0b", 3)));
    assert_false(utf8_valid(bytes_str("\xc0\x80")));
    assert_false(utf8_valid(bytes_str("\xed\xa0\x80")));
    assert_false(utf8_valid(bytes_str("\xf4\x90\x80\x80")));
    assert_false(utf8_valid(bytes_str("\xe2\x82")));
}

static void a_buffer_grows_and_prints(void **state)
{
    struct buffer b = BUFFER_INIT;
    struct error e;

    (void)state;
    for (int i = 0; i < 1000; i++)
        buffer_printf(&b, "%d,", i);
    assert_true(buffer_ok(&b, &e));
    assert_int_equal(b.len, 3890);
    assert_int_equal(strlen(buffer_cstr(&b)), 3890);
    buffer_clear(&b);
    buffer_append_varint(&b, 300);
    assert_memory_equal(b.data, "\xac\x02", 2);
    buffer_free(&b);
}

static void time_before_1970_is_formatted(void **state)
{
    char text[CLOCK_TEXT_LEN];

    (void)state;
    clock_format(TS_MIN + 1, text);
    assert_string_equal(text, "0001-01-01T00:00:00.000001Z");
    clock_format(TS_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
}

static void a_peer_cannot_forge_a_log_line(void **state)
{
    struct logger *root, *lg;
    struct error e;
    char line[512];
    ssize_t n;
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_true(logger_open(fd[1], LOG_TEXT, LOG_INFO, &root, &e));
    lg = logger_child(root, "sequencer", "s1");
    log_debug(lg, "not shown");
    log_warn(lg, ERR_SIGNATURE, "member %s", "x\n2026 ERROR forged");
    n = read(fd[0], line, sizeof(line) - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_non_null(
        strstr(line, " WARN sequencer/s1 member x\\x0a2026 ERROR forged [LS-SIGNATURE]\n"));
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    logger_close(lg);
    logger_close(root);
    close(fd[0]);
    close(fd[1]);
}

static void hex_round_trips_and_refuses_junk(void **state)
{
    uint8_t raw[3];
    char text[7];

    (void)state;
    assert_true(hex_decode("00fFa1", raw, 3));
    hex_encode(bytes_of(raw, 3), text);
    assert_string_equal(text, "00ffa1");
    assert_false(hex_decode("00ff", raw, 3));
    assert_false(hex_decode("00ffzz", raw, 3));
}

/* A line of JSON is UTF-8, whatever a driver or the end of a buffer makes of its text. */
static void what_is_no_utf8_is_no_part_of_a_log_line(void **state)
{
    struct logger *lg;
    struct error e;
    char line[2100], text[1500];
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_true(logger_open(fd[1], LOG_JSON, LOG_INFO, &lg, &e));
    log_warn(lg, ERR_IO,
             "a\xff"
             "b\xc3\xa9\xc2\x9b\xed\xa0\x80\xe2\x82");
    ssize_t n = read(fd[0], line, sizeof(line) - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_non_null(strstr(line, "\"message\":\"a?b\xc3\xa9\\u009b?????\",\"code\":\"LS-IO\"}"));
    memset(text, 'x', sizeof(text));
    for (size_t i = 1022; i + 1 < sizeof(text); i += 2) /* cut in the middle */
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof(text) - 1] = '\0';
    log_warn(lg, ERR_IO, "%s", text);
    n = read(fd[0], line, sizeof(line) - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_non_null(strstr(line, "x?\",\"code\""));
    logger_close(lg);
    close(fd[0]);
    close(fd[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_says_cause_advice_and_id),
        cmocka_unit_test(utf8_refuses_nul_long_forms_and_surrogates),
        cmocka_unit_test(a_buffer_grows_and_prints),
        cmocka_unit_test(time_before_1970_is_formatted),
        cmocka_unit_test(a_peer_cannot_forge_a_log_line),
        cmocka_unit_test(what_is_no_utf8_is_no_part_of_a_log_line),
        cmocka_unit_test(hex_round_trips_and_refuses_junk),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
