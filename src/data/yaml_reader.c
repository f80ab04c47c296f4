#include "data/yaml_reader.h"

#include "data/place.h"

bool weir__yaml_reader_init(weir__yaml_reader *reader, weir_str text, weir_str file,
                            weir_error *error) {
    if (!yaml_parser_initialize(&reader->parser))
        return weir_fail(error, WEIR_INTERNAL, "out of memory");
    reader->text = text;
    reader->file = file;
    const char *data = text.data ? text.data : "";
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)data, text.length);
    return true;
}

void weir__yaml_reader_deinit(weir__yaml_reader *reader) {
    yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
}

void weir__yaml_place(const weir__yaml_reader *reader, yaml_mark_t mark, weir_error *error) {
    weir_error_place(error, reader->file, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1);
}

static bool fail_read(const weir__yaml_reader *reader, weir_error *error) {
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) return weir_fail(error, WEIR_INTERNAL, "out of memory");
    weir_fail(error, WEIR_SYNTAX, "%s%s%s", parser->problem, parser->context ? " " : "",
              parser->context ? parser->context : "");
    if (strstr(parser->problem, "cannot start any token"))
        weir_error_hint(error,
                        "indent with blanks, not tabs; quote a text that begins with @ or `");
    if (parser->error == YAML_READER_ERROR) {
        uint32_t line, column;
        weir__place(reader->text, parser->problem_offset, &line, &column);
        weir_error_place(error, reader->file, line, column);
    } else {
        weir__yaml_place(reader, parser->problem_mark, error);
    }
    return false;
}

bool weir__yaml_next(weir__yaml_reader *reader, weir_error *error) {
    yaml_event_t *event = &reader->event;
    yaml_event_delete(event);
    if (!yaml_parser_parse(&reader->parser, event)) return fail_read(reader, error);
    switch (event->type) {
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (++reader->depth <= WEIR_DEPTH_MAX) return true;
        weir_fail(error, WEIR_LIMIT, "nested too deep");
        weir_error_hint(error, "%d levels are allowed", WEIR_DEPTH_MAX);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: reader->depth--; return true;
    case YAML_SCALAR_EVENT:
        if (!memchr(event->data.scalar.value, 0, event->data.scalar.length)) return true;
        weir_fail(error, WEIR_INVALID, "a NUL is not allowed");
        break;
    default: return true;
    }
    weir__yaml_place(reader, event->start_mark, error);
    return false;
}
