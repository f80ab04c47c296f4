/* Regular expressions and JSONPath: what there is; the code is in the module "regex". */
#include "operations.h"
#include "parameter.h"

#define TEXT_AND_PATTERN                                                                           \
    {"text", "str", "The text."}, {                                                                \
        "pattern", "str", "A regular expression as Perl has them."                                 \
    }
#define PATTERN_CONFIG                                                                             \
    {"pattern", "str", "The regular expression, when it is no parameter."}, {                      \
        "ignore_case", "bool", "Whether large and small letters are equal.", .otherwise = "false"  \
    }
#define MOST                                                                                       \
    { "most", "int", "How many places at most; 0: all.", .otherwise = "0" }

static const weir_operation *const operations[] = {
    OPERATION(
            .name = "regex.match",
            .about = "Finds the first place in a text that a pattern matches.",
            .inputs = PORTS(TEXT_AND_PATTERN),
            .outputs =
                PORTS({"matched", "bool", "Whether there is such a place."},
                      {"match", "str", "What stands there; null when there is none."},
                      {"groups", "array", "What each group matched; null for one that did not."},
                      {"named", "map", "The same for named groups, by name."},
                      {"start", "int", "The first character of the place; null without one."},
                      {"end", "int", "The character behind it; null without one."}),
            .config = PORTS(PATTERN_CONFIG), .hints = WEIR_PURE, .module = "regex",
            .example =
                "operations:\n"
                "  version: {name: regex.match, inputs: {text: line}, outputs: {named: version}}\n"
                "configs:\n"
                "  version: {pattern: '(?<major>\\d+)\\.(?<minor>\\d+)'}\n"),
    OPERATION(.name = "regex.find_all",
              .about = "Finds all places in a text that a pattern matches.",
              .inputs = PORTS(TEXT_AND_PATTERN),
              .outputs = PORTS({"matches", "array", "What stands at each place."},
                               {"groups", "array", "For each place, what each group matched."}),
              .config = PORTS(PATTERN_CONFIG, MOST), .hints = WEIR_PURE, .module = "regex"),
    OPERATION(.name = "regex.replace",
              .about =
                  "Replaces what a pattern matches; $1, ${name}, $0 and $$ mean groups, all and $.",
              .inputs =
                  PORTS(TEXT_AND_PATTERN, {"replacement", "str", "What stands there instead."}),
              .outputs = PORTS({"text", "str", "The new text."},
                               {"count", "int", "How many places were replaced."}),
              .config =
                  PORTS(PATTERN_CONFIG,
                        {"replacement", "str", "The replacement, when it is no parameter."}, MOST),
              .hints = WEIR_PURE, .module = "regex",
              .example =
                  "operations:\n"
                  "  mask: {name: regex.replace, inputs: {text: line}, outputs: {text: masked}}\n"
                  "configs:\n"
                  "  mask: {pattern: '(\\w+)@', replacement: '***@'}\n"),
    OPERATION(.name = "regex.split", .about = "Splits a text where a pattern matches.",
              .inputs = PORTS(TEXT_AND_PATTERN),
              .outputs = PORTS({"parts", "array", "The texts between the places."}),
              .config = PORTS(PATTERN_CONFIG,
                              {"most", "int", "How many parts at most; 0: all.", .otherwise = "0"}),
              .hints = WEIR_PURE, .module = "regex"),
    OPERATION(
            .name = "jsonpath.query",
            .about = "Picks values out of a value by a JSONPath (RFC 9535).",
            .inputs = PORTS({"value", "generic", "Where to look."},
                            {"path", "str", "Such as $.items[?@.price < 10].name."}),
            .outputs = PORTS({"values", "array", "The values found, in the order of the path."},
                             {"paths", "array", "Where each is: a normalized path."}),
            .config = PORTS({"path", "str", "The path, when it is no parameter."}),
            .hints = WEIR_PURE, .module = "regex",
            .example =
                "operations:\n"
                "  cheap: {name: jsonpath.query, inputs: {value: shop}, outputs: {values: books}}\n"
                "configs:\n"
                "  cheap: {path: \"$..book[?@.price < 10].title\"}\n"),
    NULL};

PLUGIN(weir_regex_plugin, "regex", operations)
