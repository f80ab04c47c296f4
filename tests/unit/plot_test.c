/* Plots: marks stand at round numbers, points where their numbers are, in a picture and in characters; what has no place is left out, and
 * hostile names stay names. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "data/gantt.h"
#include "data/plot.h"

static void expect_number(weir_plot_unit unit, double value, const char *text) {
    weir_buffer out = {0};
    weir_plot_number(unit, value, &out);
    assert_string_equal(out.data, text);
    weir_buffer_deinit(&out);
}

static void test_numbers_are_short(void **state) {
    (void)state;
    expect_number(WEIR_PLOT_NUMBER, 200, "200");
    expect_number(WEIR_PLOT_NUMBER, 0, "0");
    expect_number(WEIR_PLOT_NUMBER, -1.5, "-1.5");
    expect_number(WEIR_PLOT_SECONDS, 0.25, "0.25 s");
    expect_number(WEIR_PLOT_SECONDS, 12.345, "12.3 s");
    expect_number(WEIR_PLOT_SECONDS, 0.00004, "4e-05 s");
    expect_number(WEIR_PLOT_BYTES, 236745728, "237 MB");
    expect_number(WEIR_PLOT_BYTES, 5e13, "5e+07 MB");
}

static weir_plot plot_of(const weir_plot_point *points, size_t count, bool logarithmic) {
    weir_plot plot = {.title = "Plot",
                      .x = {"x", WEIR_PLOT_NUMBER, logarithmic},
                      .y = {"y", WEIR_PLOT_SECONDS, logarithmic}};
    weir_plot_series *series = weir_plot_add(&plot, "one");
    for (size_t i = 0; i < count; i++) weir_plot_point_add(series, points[i].x, points[i].y);
    return plot;
}

static void expect_scale(const weir_plot_point *points, size_t count, bool logarithmic,
                         bool vertical, const char *text) {
    weir_plot plot = plot_of(points, count, logarithmic);
    weir_plot_scale scale = weir_plot_scale_of(&plot, vertical);
    weir_buffer out = {0};
    for (size_t i = 0; i < scale.count; i++) {
        weir_buffer_printf(&out, "%s%g", i ? " " : "", scale.ticks[i]);
        assert_true(scale.ticks[i] - scale.from >= -1e-9 * fabs(scale.from));
        assert_true(scale.to - scale.ticks[i] >= -1e-9 * fabs(scale.to));
    }
    assert_string_equal(out.data, text);
    weir_buffer_deinit(&out);
    weir_plot_deinit(&plot);
}

static void test_marks_are_round(void **state) {
    (void)state;
    const weir_plot_point some[] = {{1, 0.13}, {200, 8.6}};
    expect_scale(some, 2, false, false, "0 50 100 150 200");
    expect_scale(some, 2, false, true, "0 2 4 6 8 10");
    expect_scale(some, 2, true, false, "1 2 5 10 20 50 100 200");
    expect_scale(some, 2, true, true, "0.1 0.2 0.5 1 2 5 10");
    const weir_plot_point wide[] = {{1e-6, 1}, {1e6, 1}};
    expect_scale(wide, 2, true, false,
                 "1e-06 1e-05 0.0001 0.001 0.01 0.1 1 10 100 1000 10000 100000");
    expect_scale(wide, 2, true, true, "1 2 5 10");
    const weir_plot_point below[] = {{-3, 0}, {-1, 0}};
    expect_scale(below, 2, false, false, "-3 -2.5 -2 -1.5 -1 -0.5 0");
    expect_scale(below, 2, false, true, "0 0.2 0.4 0.6 0.8 1");
}

static void test_what_has_no_place_is_left_out(void **state) {
    (void)state;
    const weir_plot_point odd[] = {{NAN, 1}, {1, INFINITY}, {1e300, 1}, {2, 3}};
    expect_scale(odd, 4, false, false, "0 0.5 1 1.5 2");
    const weir_plot_point none[] = {{0, 1}, {-1, 1}};
    expect_scale(none, 2, true, false, "1 2 5 10");
    expect_scale(NULL, 0, false, true, "0 0.2 0.4 0.6 0.8 1");
    weir_plot plot = plot_of(none, 2, true);
    weir_plot_scale scale = weir_plot_scale_of(&plot, false);
    double place = 7;
    assert_false(weir_plot_place(&scale, 0, &place));
    assert_false(weir_plot_place(&scale, -1, &place));
    assert_false(weir_plot_place(&scale, 11, &place));
    assert_false(weir_plot_place(&scale, NAN, &place));
    assert_true(place == 7);
    assert_true(weir_plot_place(&scale, 10, &place) && place == 1);
    weir_plot_deinit(&plot);
}

static const weir_plot_point steps[] = {{0, 0}, {50, 5}, {100, 10}};

static void expect_text(const weir_plot *plot, bool ascii, bool color, const char *text) {
    weir_buffer out = {0};
    const weir_plot_terminal terminal = {.columns = 1, .rows = 1, .ascii = ascii, .color = color};
    weir_plot_text(plot, &terminal, &out);
    assert_string_equal(out.data, text);
    weir_buffer_deinit(&out);
}

static void test_a_plot_in_characters(void **state) {
    (void)state;
    weir_plot plot = plot_of(steps, 3, false);
    expect_text(&plot, false, false,
                "      Plot: y\n"
                "10 s ┤                               ⡠⠔a\n"
                "     │                           ⢀⡠⠒⠉\n"
                " 8 s ┤                        ⢀⠤⠊⠁\n"
                "     │                     ⣀⠔⠊⠁\n"
                " 6 s ┤                 ⢀⡠⠔⠉\n"
                " 4 s ┤              ⣀⠤⠒a\n"
                "     │          ⢀⡠⠔⠉\n"
                " 2 s ┤       ⣀⠔⠊⠁\n"
                "     │   ⢀⡠⠒⠉\n"
                " 0 s ┤a⠔⠊⠁\n"
                "     └┬──────┬─────┬──────┬─────┬──────┬\n"
                "      0     20    40     60    80     100\n"
                "      x\n"
                "      a one\n");
    weir_plot_deinit(&plot);
}

/* Colours are around what has one, and nothing else changes. */
static void test_colors_change_nothing(void **state) {
    (void)state;
    weir_plot plot = plot_of(steps, 3, false);
    weir_buffer plain = {0}, colored = {0}, bare = {0};
    weir_plot_terminal terminal = {.columns = 60, .rows = 12};
    weir_plot_text(&plot, &terminal, &plain);
    terminal.color = true;
    weir_plot_text(&plot, &terminal, &colored);
    for (const char *at = colored.data; *at; at++) {
        if (*at == '\033')
            at = strchr(at, 'm');
        else
            weir_buffer_byte(&bare, *at);
    }
    assert_true(colored.length > plain.length);
    assert_string_equal(bare.data, plain.data);
    weir_buffer_deinit(&plain);
    weir_buffer_deinit(&colored);
    weir_buffer_deinit(&bare);
    weir_plot_deinit(&plot);
}

static void test_ascii_is_ascii(void **state) {
    (void)state;
    weir_plot plot = plot_of(steps, 3, false);
    weir_buffer out = {0};
    weir_plot_text(&plot, &(weir_plot_terminal){.columns = 60, .rows = 12, .ascii = true}, &out);
    for (size_t i = 0; i < out.length; i++) assert_true((unsigned char)out.data[i] < 0x80);
    assert_non_null(strstr(out.data, "a one"));
    assert_non_null(strchr(out.data, ':'));
    weir_buffer_deinit(&out);
    weir_plot_deinit(&plot);
}

static void test_a_picture(void **state) {
    (void)state;
    weir_plot plot = plot_of(steps, 3, false);
    plot.title = "<b>\"&\"</b>\n";
    weir_plot_add(&plot, "a</title><script>alert(1)</script>\xff");
    weir_buffer out = {0};
    weir_plot_svg(&plot, &out);
    assert_non_null(strstr(out.data, "<title>&lt;b&gt;\"&amp;\"&lt;/b&gt;?</title>"));
    assert_non_null(strstr(out.data, "a&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;?"));
    assert_null(strstr(out.data, "<script"));
    assert_non_null(strstr(out.data, "d=\"M76.0 384.0L330.0 214.0L584.0 44.0\""));
    assert_non_null(strstr(out.data, "<title>one: 50, 5 s</title>"));
    assert_true(weir_str_ends(weir_buffer_str(&out), WEIR_STR("</svg>\n")));
    weir_buffer_deinit(&out);
    weir_plot_deinit(&plot);
}

/* More series than there are letters, and more of them than fit into a picture's height. */
static void test_many_series(void **state) {
    (void)state;
    weir_plot plot = {
        .title = "many", .x = {"x", WEIR_PLOT_NUMBER, true}, .y = {"y", WEIR_PLOT_BYTES, true}};
    for (size_t i = 0; i < 40; i++)
        for (size_t k = 0; k < 3; k++)
            weir_plot_point_add(k ? &plot.series.items[i] : weir_plot_add(&plot, "same"),
                                (double)(k + 1), (double)(i + 1) * 1e6);
    weir_buffer out = {0};
    weir_plot_svg(&plot, &out);
    assert_non_null(strstr(out.data, "height=\"640\""));
    weir_buffer_clear(&out);
    weir_plot_text(&plot, &(weir_plot_terminal){.columns = 80, .rows = 20}, &out);
    assert_non_null(strstr(out.data, "z same"));
    weir_buffer_deinit(&out);
    weir_plot_deinit(&plot);
}

static void test_courses_are_bars(void **state) {
    (void)state;
    weir_gantt gantt = {.title = WEIR_STR("a<b")};
    weir_buffer out = {0};
    weir_gantt_text(&gantt, 0, false, true, &out); /* nothing is drawn of nothing */
    assert_null(strchr(out.data, '#'));
    weir_buffer_clear(&out);
    *weir_vector_push(&gantt.rows) =
        (weir_gantt_row){WEIR_STR("first"), WEIR_STR("5s"), 0, 5000000, true};
    *weir_vector_push(&gantt.rows) =
        (weir_gantt_row){WEIR_STR("<&\033[1m"), WEIR_STR(""), 5000000, 10000000, false};
    weir_gantt_text(&gantt, 40, false, true, &out);
    assert_non_null(strstr(out.data, "first  ##########           5.0s\n"));
    assert_non_null(strstr(out.data, "           ========== 5.0s\n"));
    assert_null(strchr(out.data, '\033'));
    weir_buffer_clear(&out);
    weir_gantt_svg(&gantt, &out);
    assert_non_null(strstr(out.data, "<title>a&lt;b</title>"));
    assert_non_null(strstr(out.data, "&lt;&amp; [1m"));
    assert_non_null(strstr(out.data, "class=\"bar strong\""));
    weir_gantt_deinit(&gantt);
    weir_buffer_deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_short),
        cmocka_unit_test(test_marks_are_round),
        cmocka_unit_test(test_what_has_no_place_is_left_out),
        cmocka_unit_test(test_a_plot_in_characters),
        cmocka_unit_test(test_colors_change_nothing),
        cmocka_unit_test(test_ascii_is_ascii),
        cmocka_unit_test(test_a_picture),
        cmocka_unit_test(test_many_series),
        cmocka_unit_test(test_courses_are_bars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
