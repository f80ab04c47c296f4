#include "http_json.h"

#include <json-c/json.h>
#include <math.h>

enum { DEPTH_MAX = 128 };

/* --- reading --- */

static weir_value *text_new(const weir_host *host, const char *data, size_t length) {
    weir__bytes text = {0};
    weir__bytes_utf8(&text, (weir_str){data, length});
    weir_str clean = weir__bytes_str(&text);
    weir_value *value = host->string_new(clean.data, clean.length);
    weir__bytes_deinit(&text);
    return value;
}

static weir_value *convert(const weir_host *host, json_object *from) {
    switch (json_object_get_type(from)) {
    case json_type_boolean: return host->bool_new(json_object_get_boolean(from));
    case json_type_double: return host->float_new(json_object_get_double(from));
    case json_type_string:
        return text_new(host, json_object_get_string(from),
                        (size_t)json_object_get_string_len(from));
    case json_type_int: {
        uint64_t large = json_object_get_uint64(from);
        return large > INT64_MAX ? host->float_new((double)large)
                                 : host->int_new(json_object_get_int64(from));
    }
    case json_type_array: {
        weir_value *array = host->array_new();
        for (size_t i = 0; i < json_object_array_length(from); i++)
            host->array_append(array, convert(host, json_object_array_get_idx(from, i)));
        return array;
    }
    case json_type_object: {
        weir_value *object = host->object_new();
        json_object_object_foreach(from, key, item)
            host->object_set(object, key, strlen(key), convert(host, item));
        return object;
    }
    default: return host->null_new();
    }
}

weir_value *weir__json_parse(const weir_host *host, weir_str text) {
    if (text.length > INT32_MAX) return NULL;
    json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    if (!tokener) return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *found = json_tokener_parse_ex(tokener, text.data, (int)text.length);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    /* A number ends only with what is behind it. */
    if (error == json_tokener_continue) {
        found = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
    }
    weir_value *value = error == json_tokener_success ? convert(host, found) : NULL;
    json_object_put(found);
    json_tokener_free(tokener);
    return value;
}

/* --- writing --- */

static void write_float(double number, weir__bytes *out) {
    char text[40];
    if (!isfinite(number)) {
        weir__bytes_text(out, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    weir__bytes_text(out, text);
    if (!strpbrk(text, ".e")) weir__bytes_text(out, ".0");
}

bool weir__scalar_write(const weir_host *host, const weir_value *value, weir__bytes *out) {
    char number[32];
    switch (host->value_type(value)) {
    case WEIR_STRING: weir__bytes_add(out, host->string_get(value)); return true;
    case WEIR_BYTES: weir__bytes_add(out, host->bytes_get(value)); return true;
    case WEIR_FLOAT: write_float(host->number_get(value), out); return true;
    case WEIR_BOOL: weir__bytes_text(out, host->bool_get(value) ? "true" : "false"); return true;
    case WEIR_INT:
        snprintf(number, sizeof number, "%lld", (long long)host->int_get(value));
        weir__bytes_text(out, number);
        return true;
    default: return false;
    }
}

static void write_string(weir_str text, weir__bytes *out) {
    weir__bytes_byte(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i], escape[8];
        if (c == '"' || c == '\\') {
            weir__bytes_byte(out, '\\');
            weir__bytes_byte(out, c);
        } else if ((unsigned char)c < ' ') {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
            weir__bytes_text(out, escape);
        } else {
            weir__bytes_byte(out, c);
        }
    }
    weir__bytes_byte(out, '"');
}

void weir__json_write(const weir_host *host, const weir_value *value, weir__bytes *out) {
    weir_type type = host->value_type(value);
    bool object = type == WEIR_OBJECT;
    if (type == WEIR_BYTES || type == WEIR_FOREIGN) {
        weir_value *described = host->bytes_described(value);
        weir__json_write(host, described, out);
        host->value_unref(described);
    } else if (type == WEIR_STRING) {
        write_string(host->string_get(value), out);
    } else if (object || type == WEIR_ARRAY) {
        weir__bytes_byte(out, object ? '{' : '[');
        for (size_t i = 0; i < host->value_count(value); i++) {
            if (i) weir__bytes_byte(out, ',');
            if (object) {
                write_string(host->object_key(value, i), out);
                weir__bytes_byte(out, ':');
            }
            weir__json_write(host, object ? host->object_at(value, i) : host->array_at(value, i),
                             out);
        }
        weir__bytes_byte(out, object ? '}' : ']');
    } else if (!weir__scalar_write(host, value, out)) {
        weir__bytes_text(out, "null");
    }
}
