#include "data/finding.h"

#include <stdarg.h>
#include <stdio.h>

void weir_finding_add(weir_value *list, const char *check, const char *state, const char *hint,
                      const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_value *entry = weir_object_new();
    weir_member_put_text(entry, "check", weir_str_from(check));
    weir_member_put_text(entry, "state", weir_str_from(state));
    weir_member_put_text(entry, "message", weir_str_from(message));
    if (hint && *hint) weir_member_put_text(entry, "hint", weir_str_from(hint));
    weir_array_append(list, entry);
}
