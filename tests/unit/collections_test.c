/* Lists, maps, numbers, logic, rows; and DFFML's own operations. */
#include "operation_call.h"

static void lists_are_changed(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"list.length", "{\"list\":[1,[2]]}", NULL, "{\"length\":2}"},
        {"list.length", "{\"list\":{}}", NULL,
         "invalid: `list` must be of type array, found object"},
        {"list.get", "{\"list\":[1,2,3],\"index\":-1}", NULL, "{\"item\":3}"},
        {"list.get", "{\"list\":[1]}", "{\"index\":0}", "{\"item\":1}"},
        {"list.get", "{\"list\":[1],\"index\":1}", NULL,
         "not_found: the list has no place 1: it has 1 items"},
        {"list.get", "{\"list\":[],\"index\":0}", "{\"default\":null}", "{\"item\":null}"},
        {"list.get", "{\"list\":[1],\"index\":-9223372036854775807}", "{\"default\":0}",
         "{\"item\":0}"},
        {"list.get", "{\"list\":[1],\"index\":null}", NULL,
         "invalid: `index` must be of type int, found null"},
        {"list.slice", "{\"list\":[1,2,3,4]}", "{\"start\":1,\"end\":-1}", "{\"list\":[2,3]}"},
        {"list.slice", "{\"list\":[1,2]}", "{\"start\":-9223372036854775808}", "{\"list\":[1,2]}"},
        {"list.slice", "{\"list\":[1,2]}", "{\"start\":2,\"end\":1}", "{\"list\":[]}"},
        {"list.append", "{\"list\":[1],\"item\":null}", NULL, "{\"list\":[1,null]}"},
        {"list.append", "{\"list\":[1]}", NULL, "invalid: `item` is missing"},
        {"list.concat", "{\"first\":[1],\"second\":[2,3]}", NULL, "{\"list\":[1,2,3]}"},
        {"list.zip", "{\"first\":[1,2,3],\"second\":[\"a\",\"b\"]}", NULL,
         "{\"list\":[[1,\"a\"],[2,\"b\"]]}"},
        {"list.reverse", "{\"list\":[1,2,3]}", NULL, "{\"list\":[3,2,1]}"},
        {"list.unique",
         "{\"list\":[1,\"1\",1.0,[1],[1.0],{\"a\":1,\"b\":2},{\"b\":2,\"a\":1},null,"
         "false,0,-0.0,null]}",
         NULL, "{\"list\":[1,\"1\",[1],{\"a\":1,\"b\":2},null,false,0]}"},
        {"list.contains", "{\"list\":[1,[2]],\"item\":[2.0]}", NULL, "{\"result\":true}"},
        {"list.contains", "{\"list\":[true]}", "{\"item\":1}", "{\"result\":false}"},
        {"list.range", "{\"end\":3}", NULL, "{\"list\":[0,1,2]}"},
        {"list.range", "{\"end\":0}", "{\"start\":5,\"step\":-2}", "{\"list\":[5,3,1]}"},
        {"list.range", "{\"end\":9223372036854775807}",
         "{\"start\":9223372036854775800,\"step\":5}",
         "{\"list\":[9223372036854775800,9223372036854775805]}"},
        {"list.range", "{\"end\":3}", "{\"step\":0}", "invalid: `step` must not be 0"},
        {"list.range", "{\"end\":5000000}", NULL, "limit_exceeded: more than 4000000 items"},
        {"list.flatten", "{\"list\":[1,[2,[3,[4]]],{}]}", NULL, "{\"list\":[1,2,[3,[4]],{}]}"},
        {"list.flatten", "{\"list\":[[[1]]]}", "{\"depth\":9}", "{\"list\":[1]}"},
        {"list.flatten", "{\"list\":[[1]]}", "{\"depth\":0}", "{\"list\":[[1]]}"},
    };
    EXPECT_CALLS(cases);
}

static void lists_are_put_in_order(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"list.sort", "{\"list\":[3,1.5,-2,9223372036854775807,9223372036854775806]}", NULL,
         "{\"list\":[-2,1.5,3,9223372036854775806,9223372036854775807]}"},
        {"list.sort", "{\"list\":[\"b\",\"ä\",\"a\",\"\"]}", NULL,
         "{\"list\":[\"\",\"a\",\"b\",\"ä\"]}"},
        {"list.sort", "{\"list\":[{\"k\":1,\"n\":1},{\"k\":2},{\"k\":1.0,\"n\":2}]}",
         "{\"by\":\"k\",\"descending\":true}",
         "{\"list\":[{\"k\":2},{\"k\":1,\"n\":1},{\"k\":1.0,\"n\":2}]}"},
        {"list.sort", "{\"list\":[]}", NULL, "{\"list\":[]}"},
        {"list.sort", "{\"list\":[1,\"a\"]}", NULL,
         "invalid: only numbers can be put in order, or only texts: item 1 is string, item 0 int"},
        {"list.sort", "{\"list\":[null]}", NULL,
         "invalid: only numbers can be put in order, or only texts: item 0 is null, item 0 null"},
        {"list.sort", "{\"list\":[{}]}", "{\"by\":\"k\"}", "invalid: item 0 has no `k`"},
        {"list.sort", "{\"list\":[1]}", "{\"by\":\"k\"}", "invalid: item 0 has no `k`"},
        {"list.min", "{\"list\":[2,1,1.0]}", NULL, "{\"item\":1}"},
        {"list.max", "{\"list\":[\"a\",\"c\",\"b\"]}", NULL, "{\"item\":\"c\"}"},
        {"list.max", "{\"list\":[{\"p\":1},{\"p\":2}]}", "{\"by\":\"p\"}", "{\"item\":{\"p\":2}}"},
        {"list.max", "{\"list\":[]}", NULL, "invalid: the list is empty"},
        {"list.sum", "{\"list\":[1,2]}", NULL, "{\"sum\":3}"},
        {"list.sum", "{\"list\":[]}", NULL, "{\"sum\":0}"},
        {"list.sum", "{\"list\":[1,0.5]}", NULL, "{\"sum\":1.5}"},
        {"list.sum", "{\"list\":[9223372036854775807,1]}", NULL,
         "limit_exceeded: the sum does not fit an int of 64 bits"},
        {"list.sum", "{\"list\":[1e308,1e308]}", NULL,
         "limit_exceeded: the result is beyond the range of floats"},
        {"list.sum", "{\"list\":[\"1\"]}", NULL,
         "invalid: item 0 must be of type int or float, found string"},
    };
    EXPECT_CALLS(cases);
}

static void maps_are_changed(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"map.get", "{\"map\":{\"a\":null},\"key\":\"a\"}", NULL, "{\"value\":null}"},
        {"map.get", "{\"map\":{},\"key\":\"a\"}", NULL, "not_found: the map has no member `a`"},
        {"map.get", "{\"map\":{}}", "{\"key\":\"a\",\"default\":0}", "{\"value\":0}"},
        {"map.has", "{\"map\":{\"a\":null},\"key\":\"a\"}", NULL, "{\"result\":true}"},
        {"map.set", "{\"map\":{\"a\":1,\"b\":2},\"key\":\"a\",\"value\":[]}", NULL,
         "{\"map\":{\"a\":[],\"b\":2}}"},
        {"map.set", "{\"map\":{},\"value\":1}", NULL,
         "invalid: `key` must be of type string, found nothing"},
        {"map.remove", "{\"map\":{\"a\":1,\"b\":2},\"key\":\"a\"}", NULL, "{\"map\":{\"b\":2}}"},
        {"map.remove", "{\"map\":{\"b\":2},\"key\":\"a\"}", NULL, "{\"map\":{\"b\":2}}"},
        {"map.keys", "{\"map\":{\"b\":1,\"a\":2}}", NULL, "{\"keys\":[\"b\",\"a\"]}"},
        {"map.values", "{\"map\":{\"b\":1,\"a\":2}}", NULL, "{\"values\":[1,2]}"},
        {"map.items", "{\"map\":{\"b\":1}}", NULL, "{\"items\":[[\"b\",1]]}"},
        {"map.from_items", "{\"items\":[[\"a\",1],[\"b\",2],[\"a\",3]]}", NULL,
         "{\"map\":{\"a\":3,\"b\":2}}"},
        {"map.from_items", "{\"items\":[[1,2]]}", NULL,
         "invalid: item 0 must be [name, value], the name a text"},
        {"map.merge", "{\"first\":{\"a\":{\"x\":1},\"b\":1},\"second\":{\"a\":{\"y\":2},\"c\":3}}",
         NULL, "{\"map\":{\"a\":{\"y\":2},\"b\":1,\"c\":3}}"},
        {"map.merge", "{\"first\":{\"a\":{\"x\":1}},\"second\":{\"a\":{\"x\":2,\"y\":2}}}",
         "{\"deep\":true}", "{\"map\":{\"a\":{\"x\":2,\"y\":2}}}"},
        {"map.keys", "{\"map\":[]}", NULL, "invalid: `map` must be of type object, found array"},
    };
    EXPECT_CALLS(cases);
}

static void numbers_are_calculated(void **state) {
    (void)state;
    static const char over[] = "limit_exceeded: the result does not fit an int of 64 bits",
                      beyond[] = "limit_exceeded: the result is beyond the range of floats";
    const struct {
        const char *name, *a, *b, *wanted;
    } cases[] = {
        {"add", "1", "2", "3"},
        {"add", "1", "0.5", "1.5"},
        {"add", "9223372036854775807", "1", over},
        {"add", "1e308", "1e308", beyond},
        {"add", "1", "\"2\"", "invalid: `b` must be of type int or float, found string"},
        {"add", "true", "2", "invalid: `a` must be of type int or float, found bool"},
        {"subtract", "1", "2", "-1"},
        {"subtract", "-9223372036854775808", "1", over},
        {"multiply", "6", "7", "42"},
        {"multiply", "4611686018427387904", "2", over},
        {"divide", "6", "4", "1.5"},
        {"divide", "6", "3", "2.0"},
        {"divide", "1", "0", "invalid: division by 0"},
        {"divide", "1", "0.0", "invalid: division by 0"},
        {"divide", "1e308", "1e-10", beyond},
        {"modulo", "7", "3", "1"},
        {"modulo", "-7", "3", "2"},
        {"modulo", "7", "-3", "-2"},
        {"modulo", "-6", "3", "0"},
        {"modulo", "-9223372036854775808", "-1", "0"},
        {"modulo", "-7.5", "2", "0.5"},
        {"modulo", "1", "0", "invalid: division by 0"},
        {"power", "2", "62", "4611686018427387904"},
        {"power", "2", "63", over},
        {"power", "-2", "63", "-9223372036854775808"},
        {"power", "1", "9223372036854775807", "1"},
        {"power", "-1", "9223372036854775807", "-1"},
        {"power", "0", "0", "1"},
        {"power", "2", "-1", "0.5"},
        {"power", "9", "0.5", "3.0"},
        {"power", "0", "-1", "invalid: division by 0"},
        {"power", "-8", "0.5", "invalid: a root of a number below 0"},
        {"power", "10.0", "400", beyond},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer parameters = {0}, wanted = {0};
        char name[32];
        snprintf(name, sizeof name, "math.%s", cases[i].name);
        weir_buffer_printf(&parameters, "{\"a\":%s,\"b\":%s}", cases[i].a, cases[i].b);
        bool fails = strchr(cases[i].wanted, ':') != NULL;
        weir_buffer_printf(&wanted, fails ? "%s" : "{\"result\":%s}", cases[i].wanted);
        expect_call(name, from_json(parameters.data), NULL, wanted.data);
        weir_buffer_deinit(&parameters);
        weir_buffer_deinit(&wanted);
    }
}

static void numbers_are_rounded_and_compared(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"math.divide", "{\"a\":-7,\"b\":2}", "{\"whole\":true}", "{\"result\":-4}"},
        {"math.divide", "{\"a\":-9223372036854775808,\"b\":-1}", "{\"whole\":true}",
         "limit_exceeded: the result does not fit an int of 64 bits"},
        {"math.divide", "{\"a\":7.5}", "{\"b\":2,\"whole\":true}", "{\"result\":3.0}"},
        {"math.negate", "{\"number\":5}", NULL, "{\"result\":-5}"},
        {"math.negate", "{\"number\":-9223372036854775808}", NULL,
         "limit_exceeded: the result does not fit an int of 64 bits"},
        {"math.absolute", "{\"number\":-1.5}", NULL, "{\"result\":1.5}"},
        {"math.absolute", "{\"number\":-9223372036854775808}", NULL,
         "limit_exceeded: the result does not fit an int of 64 bits"},
        {"math.absolute", "{\"number\":3}", NULL, "{\"result\":3}"},
        {"math.floor", "{\"number\":-1.5}", NULL, "{\"result\":-2}"},
        {"math.ceil", "{\"number\":-1.5}", NULL, "{\"result\":-1}"},
        {"math.round", "{\"number\":2.5}", NULL, "{\"result\":3}"},
        {"math.round", "{\"number\":-2.5}", NULL, "{\"result\":-3}"},
        {"math.round", "{\"number\":9223372036854775807}", NULL,
         "{\"result\":9223372036854775807}"},
        {"math.round", "{\"number\":9.3e18}", NULL,
         "limit_exceeded: the result does not fit an int of 64 bits"},
        {"math.compare", "{\"a\":1,\"b\":1.0}", NULL,
         "{\"order\":0,\"less\":false,\"equal\":true,\"greater\":false}"},
        {"math.compare", "{\"a\":9007199254740993}", "{\"b\":9007199254740992.0}",
         "{\"order\":1,\"less\":false,\"equal\":false,\"greater\":true}"},
        {"math.compare", "{\"a\":\"a\",\"b\":\"ä\"}", NULL,
         "{\"order\":-1,\"less\":true,\"equal\":false,\"greater\":false}"},
        {"math.compare", "{\"a\":\"1\",\"b\":1}", NULL,
         "invalid: two numbers or two texts can be compared, not string and int"},
        {"logic.equal", "{\"a\":{\"x\":[1]},\"b\":{\"x\":[1.0]}}", NULL, "{\"result\":true}"},
        {"logic.equal", "{\"a\":0,\"b\":false}", NULL, "{\"result\":false}"},
        {"logic.and", "{\"a\":1,\"b\":[]}", NULL, "{\"result\":false}"},
        {"logic.or", "{\"a\":0,\"b\":\"x\"}", NULL, "{\"result\":true}"},
        {"logic.not", "{\"value\":{}}", NULL, "{\"result\":true}"},
        {"logic.not", NULL, NULL, "invalid: `value` is missing"},
    };
    EXPECT_CALLS(cases);
}

static void mappings_are_made_and_read(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"dffml.mapping.create", "{\"key\":\"key1\",\"value\":42}", NULL,
         "{\"mapping\":{\"key1\":42}}"},
        {"dffml.mapping.create", "{\"key\":1,\"value\":42}", NULL,
         "invalid: `key` must be of type string, found int"},
        {"dffml.mapping.extract",
         "{\"mapping\":{\"key1\":{\"key2\":42}},\"traverse\":[\"key1\",\"key2\"]}", NULL,
         "{\"value\":42}"},
        {"dffml.mapping.extract", "{\"mapping\":{\"a\":{\"b\":1}},\"traverse\":[\"a.b\"]}", NULL,
         "{\"value\":1}"},
        {"dffml.mapping.extract", "{\"mapping\":{\"a.b\":{\"c\":1}},\"traverse\":[\"'a.b'.c\"]}",
         NULL, "{\"value\":1}"},
        {"dffml.mapping.extract",
         "{\"mapping\":{\"a\":[1,{\"b\":2}]},\"traverse\":[\"a\",-1,\"b\"]}", NULL,
         "{\"value\":2}"},
        {"dffml.mapping.extract", "{\"mapping\":{\"a\":1},\"traverse\":[]}", NULL,
         "{\"value\":{\"a\":1}}"},
        {"dffml.mapping.extract", "{\"mapping\":{\"1\":2},\"traverse\":[1]}", NULL,
         "{\"value\":2}"},
        {"dffml.mapping.extract", "{\"mapping\":{},\"traverse\":[\"a\"]}", NULL,
         "not_found: the mapping has no `a`"},
        {"dffml.mapping.extract", "{\"mapping\":{\"a\":[1]},\"traverse\":[\"a\",1]}", NULL,
         "not_found: the array has no place `1`"},
        {"dffml.mapping.extract", "{\"mapping\":{\"a\":1},\"traverse\":[\"a\",\"b\"]}", NULL,
         "invalid: `b` leads into int"},
        {"dffml.mapping.extract", "{\"mapping\":{\"a\":[]},\"traverse\":[\"a\",\"b\"]}", NULL,
         "invalid: `b` leads into array"},
        {"dffml.mapping.extract", "{\"mapping\":{},\"traverse\":\"a\"}", NULL,
         "invalid: `traverse` must be of type array, found string"},
        {"multiply", "{\"multiplicand\":12,\"multiplier\":3}", NULL, "{\"product\":36}"},
        {"multiply", "{\"multiplicand\":[1,2.5,true],\"multiplier\":2}", NULL,
         "{\"product\":[2,5.0,2]}"},
        {"multiply", "{\"multiplicand\":\"ab\",\"multiplier\":3}", NULL,
         "{\"product\":\"ababab\"}"},
        {"multiply", "{\"multiplicand\":2,\"multiplier\":\"ab\"}", NULL, "{\"product\":\"abab\"}"},
        {"multiply", "{\"multiplicand\":\"ab\",\"multiplier\":-1}", NULL, "{\"product\":\"\"}"},
        {"multiply", "{\"multiplicand\":2,\"multiplier\":[1,\"x\"]}", NULL,
         "{\"product\":[1,\"x\",1,\"x\"]}"},
        {"multiply", "{\"multiplicand\":[[1],2],\"multiplier\":2}", NULL,
         "{\"product\":[[1,1],4]}"},
        {"multiply", "{\"multiplicand\":[1,0],\"multiplier\":[3,4]}", NULL,
         "{\"product\":[[3,4],[]]}"},
        {"multiply", "{\"multiplicand\":-1,\"multiplier\":[1]}", NULL, "{\"product\":[]}"},
        {"multiply", "{\"multiplicand\":9223372036854775807,\"multiplier\":[1]}", NULL,
         "limit_exceeded: more than 4000000 items"},
        {"multiply", "{\"multiplicand\":[3000000,3000000],\"multiplier\":[1]}", NULL,
         "limit_exceeded: more than 4000000 items"},
        {"multiply", "{\"multiplicand\":9223372036854775807,\"multiplier\":2}", NULL,
         "limit_exceeded: the product does not fit an int of 64 bits"},
        {"multiply", "{\"multiplicand\":[1,null],\"multiplier\":2}", NULL,
         "invalid: null cannot be multiplied with int"},
        {"multiply", "{\"multiplicand\":\"a\",\"multiplier\":1.5}", NULL,
         "invalid: string cannot be multiplied with float"},
        {"multiply", "{\"multiplicand\":1}", NULL, "invalid: `multiplier` is missing"},
    };
    EXPECT_CALLS(cases);
}

static void records_become_rows_and_back(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"convert_records_to_list",
         "{\"features\":[\"a\",\"b\"],\"predict_features\":[\"c\"],\"records\":{\"r1\":{"
         "\"features\":"
         "{\"a\":1,\"c\":3}},\"r2\":{\"features\":{\"b\":2}}}}",
         NULL,
         "{\"matrix\":[[1,null],[null,2]],\"keys\":[\"r1\",\"r2\"],\"unprocessed_matrix\":[[3],["
         "null]]}"},
        {"convert_records_to_list", "{\"features\":[],\"predict_features\":[]}",
         "{\"source\":{\"plugin\":\"csv\"}}",
         "not_supported: weir has no record sources; give `records` instead of `source`"},
        {"convert_records_to_list", "{\"features\":[],\"predict_features\":[]}",
         "{\"records\":{\"r\":1}}", "invalid: record `r` must be {features: {name: value}}"},
        {"convert_records_to_list", "{\"features\":[1],\"predict_features\":[]}",
         "{\"records\":{}}", "invalid: `features`: item 0 must be of type string, found int"},
        {"convert_list_to_records",
         "{\"keys\":[\"r1\",\"r2\"],\"matrix\":[[1,2],[3,4]],\"features\":[\"a\",\"b\"],"
         "\"unprocessed_matrix\":[[5],[6]],\"predict_features\":[\"c\"]}",
         NULL,
         "{\"records\":{\"r1\":{\"features\":{\"a\":1,\"b\":2,\"c\":5}},\"r2\":{\"features\":{"
         "\"a\":3,"
         "\"b\":4,\"c\":6}}}}"},
        {"convert_list_to_records",
         "{\"keys\":[\"r\"],\"matrix\":[1],\"features\":[],\"unprocessed_matrix\":[[]],"
         "\"predict_features\":[]}",
         NULL, "invalid: row 0 must be of type array, found int"},
        {"convert_list_to_records",
         "{\"keys\":[\"r\",\"s\"],\"matrix\":[[1,2]],\"features\":[\"a\"],\"unprocessed_matrix\":[["
         "]],"
         "\"predict_features\":[\"b\"]}",
         NULL, "{\"records\":{\"r\":{\"features\":{\"a\":1}}}}"},
    };
    EXPECT_CALLS(cases);
}

static void rows_are_read(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"csv.parse", "{\"text\":\"a,b\\r\\n1,\\\"x, \\\"\\\"y\\\"\\\"\\nz\\\"\\r\\n\\r\\n2,\\n\"}",
         NULL,
         "{\"rows\":[{\"a\":\"1\",\"b\":\"x, "
         "\\\"y\\\"\\nz\"},{\"a\":\"2\",\"b\":\"\"}],\"columns\":[\"a\",\"b\"]}"},
        {"csv.parse", "{\"text\":\"\\ufeffa;b\\n1;01\"}", "{\"delimiter\":\";\",\"numbers\":true}",
         "{\"rows\":[{\"a\":1,\"b\":\"01\"}],\"columns\":[\"a\",\"b\"]}"},
        {"csv.parse", "{\"text\":\"1,\\\"2\\\"\\n,\"}", "{\"header\":false,\"numbers\":true}",
         "{\"rows\":[[1,\"2\"],[\"\",\"\"]],\"columns\":[]}"},
        {"csv.parse", "{\"text\":\"1,2\"}", "{\"header\":false,\"columns\":[\"x\",\"y\"]}",
         "{\"rows\":[{\"x\":\"1\",\"y\":\"2\"}],\"columns\":[\"x\",\"y\"]}"},
        {"csv.parse", "{\"text\":\"a\\n1\"}", "{\"columns\":[\"x\"]}",
         "{\"rows\":[{\"x\":\"1\"}],\"columns\":[\"x\"]}"},
        {"csv.parse", "{\"text\":\"\"}", NULL, "{\"rows\":[],\"columns\":[]}"},
        {"csv.parse", "{\"text\":\"\\n\\n\"}", NULL, "{\"rows\":[],\"columns\":[]}"},
        {"csv.parse", "{\"text\":\"a,b\\n\\\"x\\ny\\\",2\\n1,2,3\"}", NULL,
         "invalid: line 4: there are 3 cells for 2 columns"},
        {"csv.parse", "{\"text\":\"a,a\"}", NULL, "invalid: two columns are called `a`"},
        {"csv.parse", "{\"text\":\"a\\nx\\\"y\"}", NULL, "invalid: line 2: a quote within a cell…"},
        {"csv.parse", "{\"text\":\"a\\n\\\"x\\\"y\"}", NULL,
         "invalid: line 2: something stands behind a closing quote"},
        {"csv.parse", "{\"text\":\"a\\n\\\"x\\n\"}", NULL,
         "invalid: line 3: a quote is not closed"},
        {"csv.parse", "{\"text\":\"a\"}", "{\"delimiter\":\"ab\"}",
         "invalid: `delimiter` must be one ASCII character, no quote and no line end"},
        {"csv.parse", "{\"text\":\"a\"}", "{\"delimiter\":\"\\\"\"}",
         "invalid: `delimiter` must be one ASCII character, no quote and no line end"},
        {"csv.parse", "{\"text\":\"a\"}", "{\"columns\":[1]}",
         "invalid: `columns`: item 0 must be of type string"},
        {"csv.format",
         "{\"rows\":[{\"a\":1,\"b\":\"x,y\"},{\"b\":\"\\\"q\\\"\",\"c\":null},{\"c\":true}]}", NULL,
         "{\"text\":\"a,b,c\\r\\n1,\\\"x,y\\\",\\r\\n,\\\"\\\"\\\"q\\\"\\\"\\\",\\r\\n,,"
         "true\\r\\n\"}"},
        {"csv.format", "{\"rows\":[[1,\"a b\"],[\"x\\ny\"],[null]]}", "{\"line_end\":\"lf\"}",
         "{\"text\":\"1,a b\\n\\\"x\\ny\\\"\\n\\\"\\\"\\n\"}"},
        {"csv.format", "{\"rows\":[{\"a\":1,\"b\":2}]}",
         "{\"columns\":[\"b\",\"z\"],\"delimiter\":\"\\t\",\"line_end\":\"lf\"}",
         "{\"text\":\"b\\tz\\n2\\t\\n\"}"},
        {"csv.format", "{\"rows\":[{\"a\":1}]}", "{\"header\":false}", "{\"text\":\"1\\r\\n\"}"},
        {"csv.format", "{\"rows\":[]}", NULL, "{\"text\":\"\"}"},
        {"csv.format", "{\"rows\":[[[1]]]}", NULL, "invalid: row 0, cell 0 must be no array"},
        {"csv.format", "{\"rows\":[1]}", NULL,
         "invalid: row 0 must be a map or an array, found int"},
        {"csv.format", "{\"rows\":[]}", "{\"line_end\":\"cr\"}",
         "invalid: `line_end` must be crlf or lf"},
    };
    EXPECT_CALLS(cases);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_changed),
        cmocka_unit_test(lists_are_put_in_order),
        cmocka_unit_test(maps_are_changed),
        cmocka_unit_test(numbers_are_calculated),
        cmocka_unit_test(numbers_are_rounded_and_compared),
        cmocka_unit_test(mappings_are_made_and_read),
        cmocka_unit_test(records_become_rows_and_back),
        cmocka_unit_test(rows_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
