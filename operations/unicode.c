/* The module "unicode": what needs the tables of Unicode. */
#include <utf8proc.h>

#include "parameter.h"
#include "text.h"

/* SHARP S has no large letter that people write; two S it is. */
enum { SHARP_S = 0xdf };

static bool change_case(const weir_host *host, weir_call *call, bool upper) {
    weir_str text;
    if (!weir__text_needed(host, call, "text", &text)) return false;
    weir__text out = {host, call};
    for (size_t at = 0, length; at < text.length; at += length) {
        uint32_t character = weir__character(text.data + at, text.length - at, &length);
        if (character >= 0x80 && length == 1) /* no UTF-8: stays */
            weir__text_byte(&out, text.data[at]);
        else if (upper && character == SHARP_S)
            weir__text_add(&out, TEXT("SS"));
        else if (upper)
            weir__text_character(&out, (uint32_t)utf8proc_toupper((utf8proc_int32_t)character));
        else
            weir__text_character(&out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)character));
    }
    return weir__text_give(&out, "text");
}

static bool upper(const weir_host *host, weir_call *call) {
    return change_case(host, call, true);
}

static bool lower(const weir_host *host, weir_call *call) {
    return change_case(host, call, false);
}

static const weir_operation *const operations[] = {OPERATION(.name = "string.upper", .run = upper),
                                                   OPERATION(.name = "string.lower", .run = lower),
                                                   NULL};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

PLUGIN(weir_plugin_open, "unicode", operations)
