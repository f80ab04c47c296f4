/* Regular expressions and JSONPath. */
#include "operation_call.h"

static const char shop[] =
    "{\"store\":{\"book\":[{\"category\":\"reference\",\"author\":\"Nigel "
    "Rees\",\"title\":\"Sayings\","
    "\"price\":8.95},{\"category\":\"fiction\",\"author\":\"Evelyn Waugh\",\"title\":\"Sword\","
    "\"price\":12.99},{\"category\":\"fiction\",\"author\":\"Herman Melville\",\"title\":\"Moby\","
    "\"isbn\":\"0-553\",\"price\":8.99},{\"category\":\"fiction\",\"author\":\"J. R. R. Tolkien\","
    "\"title\":\"Rings\",\"isbn\":\"0-395\",\"price\":22.99}],\"bicycle\":{\"color\":\"red\","
    "\"price\":399}}}";

static void patterns_match(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"regex.match", "{\"text\":\"äb 12.5\"}",
         "{\"pattern\":\"(?<whole>\\\\d+)\\\\.(?<part>\\\\d+)(x)?\"}",
         "{\"matched\":true,\"match\":\"12.5\",\"groups\":[\"12\",\"5\",null],\"named\":{\"part\":"
         "\"5\",\"whole\":\"12\"},\"start\":3,\"end\":7}"},
        {"regex.match", "{\"text\":\"abc\",\"pattern\":\"x\"}", NULL,
         "{\"matched\":false,\"match\":null,\"groups\":[],\"named\":{},\"start\":null,\"end\":"
         "null}"},
        {"regex.match", "{\"text\":\"ÄÖ\",\"pattern\":\"^äö$\"}", "{\"ignore_case\":true}",
         "{\"matched\":true,\"match\":\"ÄÖ\",\"groups\":[],\"named\":{},\"start\":0,\"end\":2}"},
        {"regex.match", "{\"text\":\"\",\"pattern\":\"\"}", NULL,
         "{\"matched\":true,\"match\":\"\",\"groups\":[],\"named\":{},\"start\":0,\"end\":0}"},
        {"regex.match", "{\"text\":\"a\",\"pattern\":\"(\"}", NULL,
         "invalid: `pattern`, at byte 1: missing closing parenthesis"},
        {"regex.match", "{\"text\":\"a\",\"pattern\":\"\\\\C\"}", NULL,
         "invalid: `pattern`, at byte 2:…"},
        {"regex.match",
         "{\"text\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\",\"pattern\":\"(a|aa|a?a)+$\"}",
         NULL, "limit_exceeded: `pattern` takes too long on this text; make it less ambiguous"},
        {"regex.find_all", "{\"text\":\"a1bc22\",\"pattern\":\"([a-z]+)(\\\\d+)\"}", NULL,
         "{\"matches\":[\"a1\",\"bc22\"],\"groups\":[[\"a\",\"1\"],[\"bc\",\"22\"]]}"},
        {"regex.find_all", "{\"text\":\"äb\",\"pattern\":\"x*\"}", NULL,
         "{\"matches\":[\"\",\"\",\"\"],\"groups\":[[],[],[]]}"},
        {"regex.find_all", "{\"text\":\"aab\",\"pattern\":\"a*\"}", NULL,
         "{\"matches\":[\"aa\",\"\",\"\"],\"groups\":[[],[],[]]}"},
        {"regex.find_all", "{\"text\":\"aaa\",\"pattern\":\"a\"}", "{\"most\":2}",
         "{\"matches\":[\"a\",\"a\"],\"groups\":[[],[]]}"},
        {"regex.find_all", "{\"text\":\"abc\",\"pattern\":\"(?=b\\\\Kc)\"}", NULL,
         "invalid: `pattern`, at byte 8: \\K is not allowed in lookarounds…"},
        {"regex.replace", "{\"text\":\"me@x, you@y\"}",
         "{\"pattern\":\"(?<n>\\\\w+)@(\\\\w)\",\"replacement\":\"$2$$${n}[$0]\"}",
         "{\"text\":\"x$me[me@x], y$you[you@y]\",\"count\":2}"},
        {"regex.replace", "{\"text\":\"abc\"}", "{\"pattern\":\"\",\"replacement\":\"-\"}",
         "{\"text\":\"-a-b-c-\",\"count\":4}"},
        {"regex.replace", "{\"text\":\"aaa\"}",
         "{\"pattern\":\"a\",\"replacement\":\"b\",\"most\":2}", "{\"text\":\"bba\",\"count\":2}"},
        {"regex.replace", "{\"text\":\"a\"}", "{\"pattern\":\"a\",\"replacement\":\"$1\"}",
         "invalid: `replacement`: there is no group `1`; a plain $ is $$"},
        {"regex.replace", "{\"text\":\"a\"}", "{\"pattern\":\"a\",\"replacement\":\"${n}\"}",
         "invalid: `replacement`: there is no group `n`; a plain $ is $$"},
        {"regex.replace", "{\"text\":\"a\"}", "{\"pattern\":\"a\",\"replacement\":\"a$\"}",
         "invalid: `replacement`: there is no group ``; a plain $ is $$"},
        {"regex.replace", "{\"text\":\"a\"}", "{\"pattern\":\"a\",\"replacement\":\"${0\"}",
         "invalid: `replacement`: there is no group ``; a plain $ is $$"},
        {"regex.split", "{\"text\":\"a1b22c\",\"pattern\":\"\\\\d+\"}", NULL,
         "{\"parts\":[\"a\",\"b\",\"c\"]}"},
        {"regex.split", "{\"text\":\"a,b,c\",\"pattern\":\",\"}", "{\"most\":2}",
         "{\"parts\":[\"a\",\"b,c\"]}"},
        {"regex.split", "{\"text\":\"abc\",\"pattern\":\"\"}", NULL,
         "{\"parts\":[\"a\",\"b\",\"c\"]}"},
        {"regex.split", "{\"text\":\"\",\"pattern\":\",\"}", NULL, "{\"parts\":[\"\"]}"},
    };
    EXPECT_CALLS(cases);
}

static void a_text_that_is_no_utf8_is_refused(void **state) {
    (void)state;
    weir_value *parameters = weir_object_new();
    weir_member_put(parameters, "text", weir_string_new("a\xff", 2));
    expect_call("regex.match", parameters, "{\"pattern\":\"b\"}",
                "limit_exceeded: `pattern`, at byte…");
}

/* path, value as JSON (NULL: the shop), values and paths as JSON, or what is wrong */
static const char *const paths[][3] = {
    {"$", "1", "[1] [\"$\"]"},
    {"$.store.book[*].author", NULL,
     "[\"Nigel Rees\",\"Evelyn Waugh\",\"Herman Melville\",\"J. R. R. Tolkien\"] …"},
    {"$..author", NULL,
     "[\"Nigel Rees\",\"Evelyn Waugh\",\"Herman Melville\",\"J. R. R. Tolkien\"] …"},
    {"$.store..price", NULL, "[8.95,12.99,8.99,22.99,399] …"},
    {"$..book[2].title", NULL, "[\"Moby\"] [\"$['store']['book'][2]['title']\"]"},
    {"$..book[-1].title", NULL, "[\"Rings\"] …"},
    {"$..book[0,1].title", NULL, "[\"Sayings\",\"Sword\"] …"},
    {"$..book[:2].title", NULL, "[\"Sayings\",\"Sword\"] …"},
    {"$..book[?@.isbn].title", NULL, "[\"Moby\",\"Rings\"] …"},
    {"$..book[?@.price<10].title", NULL, "[\"Sayings\",\"Moby\"] …"},
    {"$..book[?@.price < $.store.bicycle.price && @.category == 'fiction'].price", NULL,
     "[12.99,8.99,22.99] …"},
    {"$..book[?!(@.price < 10) || @['author'] == \"Nigel Rees\"].title", NULL,
     "[\"Sayings\",\"Sword\",\"Rings\"] …"},
    {"$..book[?!@.isbn].title", NULL, "[\"Sayings\",\"Sword\"] …"},
    {"$..book[?length(@.title) == 4].title", NULL, "[\"Moby\"] …"},
    {"$..book[?match(@.author, '.*e.*')].title", NULL,
     "[\"Sayings\",\"Sword\",\"Moby\",\"Rings\"] …"},
    {"$..book[?match(@.author, 'Nigel')].title", NULL, "[] []"},
    {"$..book[?search(@.author, '[RM]e')].title", NULL, "[\"Sayings\",\"Moby\"] …"},
    {"$..book[?search(@.author, '[')].title", NULL, "[] []"},
    {"$.store[?count(@.*) == 2].color", NULL, "[\"red\"] …"},
    {"$..book[?value(@..isbn) == '0-395'].title", NULL, "[\"Rings\"] …"},
    {"$..*", "[[1],{\"a\":[2]}]",
     "[[1],{\"a\":[2]},1,[2],2] "
     "[\"$[0]\",\"$[1]\",\"$[0][0]\",\"$[1]['a']\",\"$[1]['a'][0]\"]"},
    {"$ ['a'] [ 'b' , 0 ]", "{\"a\":{\"b\":1}}", "[1] [\"$['a']['b']\"]"},
    {"$['\\u00e9\\ud834\\udd1e\\'\\n']", "{\"é𝄞'\\n\":1}", "[1] [\"$['é𝄞\\\\'\\\\n']\"]"},
    {"$.ärger", "{\"ärger\":1}", "[1] …"},
    {"$[1:5:2]", "[0,1,2,3,4,5]", "[1,3] [\"$[1]\",\"$[3]\"]"},
    {"$[5:1:-2]", "[0,1,2,3,4,5]", "[5,3] …"},
    {"$[::-1]", "[0,1,2]", "[2,1,0] …"},
    {"$[-2:]", "[0,1,2]", "[1,2] …"},
    {"$[:-1:]", "[0,1,2]", "[0,1] …"},
    {"$[::0]", "[0,1,2]", "[] []"},
    {"$[9007199254740991:-9007199254740991:-9007199254740991]", "[0,1,2]", "[2] …"},
    {"$[9]", "[0]", "[] []"},
    {"$[-2]", "[0]", "[] []"},
    {"$[0]", "{\"0\":1}", "[] []"},
    {"$.a", "[1]", "[] []"},
    {"$[?@==1]", "[1,1.0,\"1\",true,null,[1]]", "[1,1.0] …"},
    {"$[?@.a==@.b]", "[{},{\"a\":1},{\"a\":1,\"b\":1},{\"a\":null}]", "[{},{\"a\":1,\"b\":1}] …"},
    {"$[?@.a!=@.b]", "[{},{\"a\":1}]", "[{\"a\":1}] …"},
    {"$[?@<'b']", "[\"a\",\"b\",1,null]", "[\"a\"] …"},
    {"$[?@<=null]", "[1,null]", "[null] …"},
    {"$[?@>=true]", "[true,false]", "[true] …"},
    {"$[?@.a<=@.b]", "[{}]", "[{}] …"},
    {"$[?@.a<@.b]", "[{}]", "[] []"},
    {"$[?@[0]==[1]]", "[]",
     "invalid: `path`, at character 10: a path (@ or $), a literal or a function should stand "
     "here"},
    {"$[?@.a]", "[{\"a\":null},{}]", "[{\"a\":null}] …"},
    {"$[?@==$[1]]", "[{\"a\":[1.0]},{\"a\":[1]}]", "[{\"a\":[1.0]},{\"a\":[1]}] …"},
    {"$[?length(@)==length($[0])]", "[\"ä\",\"x\",[1],{\"a\":1},1]",
     "[\"ä\",\"x\",[1],{\"a\":1}] …"},
    {"$[?match(@, 'a.c')]", "[\"abc\",\"a\\nc\",\"abcd\",1]", "[\"abc\"] …"},
    {"$[?match(@, 'a[.]c')]", "[\"abc\",\"a.c\"]", "[\"a.c\"] …"},
    {"$[?match(@, 'a\\\\.c')]", "[\"abc\",\"a.c\"]", "[\"a.c\"] …"},
    {"$[?search(@, $[0])]", "[\"b\",\"abc\"]", "[\"b\",\"abc\"] …"},
    {"$[?@ == -0.5e1]", "[-5,5]", "[-5] …"},
    {"$[?(@ == 1 || @ == 2) && @ != 1]", "[1,2]", "[2] …"},
    {"$[?@[?@ > 1]]", "[[1],[2]]", "[[2]] …"},
    {"", "1", "invalid: `path`, at character 1: a path begins with $"},
    {" $", "1", "invalid: `path`, at character 1: a path begins with $"},
    {"$ ", "1", "invalid: `path`, at character 2: nothing of a path stands here"},
    {"$.", "1", "invalid: `path`, at character 3: a name or * should stand here"},
    {"$..", "1", "invalid: `path`, at character 4: a name or * should stand here"},
    {"$.1", "1", "invalid: `path`, at character 3: a name or * should stand here"},
    {"$[", "1",
     "invalid: `path`, at character 3: a quoted name, a number, a slice, * or ? should stand here"},
    {"$[0", "1", "invalid: `path`, at character 4: a ] is missing"},
    {"$[01]", "1", "invalid: `path`, at character 3: a number has no needless 0, and 0 no sign"},
    {"$[-0]", "1", "invalid: `path`, at character 3: a number has no needless 0, and 0 no sign"},
    {"$[9007199254740992]", "1", "invalid: `path`, at character 18: the number is too large"},
    {"$['a]", "1", "invalid: `path`, at character 6: the string has no end"},
    {"$['\\x']", "1", "invalid: `path`, at character 5: this escape means nothing"},
    {"$[\"\\'\"]", "1", "invalid: `path`, at character 5: this escape means nothing"},
    {"$['\\ud800']", "1", "invalid: `path`, at character 10: a surrogate must be one of a pair"},
    {"$['\\u0000']", "1",
     "invalid: `path`, at character 10: \\u needs four hexadecimal digits, and not 0000"},
    {"$[?]", "1",
     "invalid: `path`, at character 4: a path (@ or $), a literal or a function should stand here"},
    {"$[?1]", "1", "invalid: `path`, at character 5: a value must be compared with another"},
    {"$[?@.* == 1]", "1",
     "invalid: `path`, at character 12: only values and paths to just one can be compared"},
    {"$[?@..a == 1]", "1",
     "invalid: `path`, at character 13: only values and paths to just one can be compared"},
    {"$[?!@.a == 1]", "1",
     "invalid: `path`, at character 13: what is negated with ! needs parentheses"},
    {"$[?length(@.a)]", "1",
     "invalid: `path`, at character 15: a value must be compared with another"},
    {"$[?match(@.a,'x')==true]", "1",
     "invalid: `path`, at character 24: only values and paths to just one can be compared"},
    {"$[?length(@.*)==1]", "1",
     "invalid: `path`, at character 14: the function takes a value, or a path to just one"},
    {"$[?count(1)==1]", "1", "invalid: `path`, at character 11: the function takes a path"},
    {"$[?match(@.a)]", "1", "invalid: `path`, at character 13: the function takes two arguments"},
    {"$[?foo(@.a)]", "1",
     "invalid: `path`, at character 8: the functions are length, count, match, search and value"},
    {"$[?@.a==01]", "1", "invalid: `path`, at character 9: is no number"},
    {"$[?@.a=1]", "1", "invalid: `path`, at character 7: a ] is missing"},
    {"$[?(@.a]", "1", "invalid: `path`, at character 8: a ) is missing"},
    {"$[?@.a &&]", "1",
     "invalid: `path`, at character 10: a path (@ or $), a literal or a function should stand "
     "here"},
};

static void paths_are_followed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        weir_value *parameters = weir_object_new();
        weir_member_put_text(parameters, "path", weir_str_from(paths[i][0]));
        weir_member_put(parameters, "value", from_json(paths[i][1] ? paths[i][1] : shop));
        weir_call call;
        open_call(&call, "jsonpath.query", parameters, from_json(NULL));
        bool ok = run_call(&call);
        weir_buffer found = {0};
        if (ok) {
            weir_json_format(weir_member_named(call.outputs, "values"), 0, &found);
            weir_buffer_byte(&found, ' ');
            weir_json_format(weir_member_named(call.outputs, "paths"), 0, &found);
        } else {
            weir_buffer_text(&found, call.failure);
        }
        check_text(paths[i][0], found.data, paths[i][2]);
        weir_buffer_deinit(&found);
        close_call(&call);
    }
    expect_none_wrong();
}

static void expect_path(const char *path, weir_value *value, const char *wanted) {
    weir_value *parameters = weir_object_new();
    weir_member_put_text(parameters, "path", weir_str_from(path));
    weir_member_put(parameters, "value", value);
    expect_call("jsonpath.query", parameters, NULL, wanted);
}

/* The text `count` times, between `before` and `after`. */
static char *repeated(const char *before, const char *text, int count, const char *after) {
    weir_buffer out = {0};
    weir_buffer_text(&out, before);
    for (int i = 0; i < count; i++) weir_buffer_text(&out, text);
    weir_buffer_text(&out, after);
    return out.data;
}

static void hostile_paths_end(void **state) {
    (void)state;
    static const struct {
        const char *before, *text;
        int count;
        const char *after, *wanted;
    } cases[] = {
        {"$", ".a", 256, "", "{\"values\":[],\"paths\":[]}"},
        {"$", ".a", 257, "", "invalid: `path`, at character 514: there are too many segments"},
        {"$[?", "(", 1000, "@", "invalid: `path`, at character 36: the filter is nested too deep"},
        {"$[?", "!", 1000, "@]", "invalid: `path`, at character 5: a path (@ or $)…"},
        {"$", "[?@", 1000, "", "invalid: `path`, at character 100: the filter is nested too deep"},
        {"$[?", "length(", 1000, "@",
         "invalid: `path`, at character 228: the filter is nested too deep"},
        {"$[?@", "||@", 5000, "]", "{\"values\":[{\"a\":1}],\"paths\":[\"$['b']\"]}"},
        {"$[?1==1", "&&1==1", 9000, "]", "{\"values\":[{\"a\":1}],\"paths\":[\"$['b']\"]}"},
        {"$", "a", 70000, "", "limit_exceeded: `path` is larger than 65536 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = repeated(cases[i].before, cases[i].text, cases[i].count, cases[i].after);
        expect_path(path, from_json("{\"b\":{\"a\":1}}"), cases[i].wanted);
        weir_free(path);
    }
    char *deep = repeated("", "[", 120, "1");
    char *closed = repeated(deep, "]", 120, "");
    expect_path("$..*..*..*..*..*..*", from_json(closed), "limit_exceeded: `path` looks at more…");
    expect_path("$[?@..*==$..*]", from_json(closed), "invalid: `path`, at character 14: only…");
    expect_path("$..[?@..[?@..[?@..[?@..[?@==2]]]]]", from_json(closed),
                "limit_exceeded: `path` looks at more…");
    weir_free(deep);
    weir_free(closed);
}

static void a_cancelled_walk_ends(void **state) {
    (void)state;
    weir_value *value = weir_array_new(), *parameters = weir_object_new();
    for (int i = 0; i < 20000; i++) weir_array_append(value, weir_int_new(i));
    weir_member_put(parameters, "path", weir_string_new("$[?@>1]", 7));
    weir_member_put(parameters, "value", value);
    weir_call call;
    open_call(&call, "jsonpath.query", parameters, from_json(NULL));
    call.cancelled = true;
    assert_false(run_call(&call));
    assert_false(call.failed);
    close_call(&call);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match),
        cmocka_unit_test(a_text_that_is_no_utf8_is_refused),
        cmocka_unit_test(paths_are_followed),
        cmocka_unit_test(hostile_paths_end),
        cmocka_unit_test(a_cancelled_walk_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
