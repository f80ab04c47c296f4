#include <link.h>

#include "cli/commands.h"

static int add_library(struct dl_phdr_info *info, size_t size, void *list) {
    (void)size;
    const char *slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;
    if (slash) weir_array_append(list, weir_string_from(weir_str_from(slash + 1)));
    return 0;
}

int weir_version_command(weir_cli *cli) {
    if (weir_cli_form(cli, "text")) {
        weir_buffer_printf(&cli->out.text, "%s%s\n",
                           weir_cli_has(cli, WEIR_FLAG_SHORT) ? "" : "weir ", weir_version());
        return 0;
    }
    weir_value *answer = weir_object_new(), *libraries = weir_array_new();
    dl_iterate_phdr(add_library, libraries);
    weir_member_put(answer, "version", weir_string_from(weir_str_from(weir_version())));
    weir_member_put(answer, "abi", weir_int_new(WEIR_ABI));
    weir_member_put(answer, "libraries", libraries);
    weir_cli_print(cli, answer);
    weir_value_unref(answer);
    return 0;
}
