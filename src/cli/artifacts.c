#include "cli/artifacts.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/size.h"
#include "data/value.h"

static weir_value *artifacts_of(weir_settings *settings) {
    if (!settings->artifacts) settings->artifacts = weir_object_new();
    return settings->artifacts;
}

/* As it stays true when somebody changes folders; it need not be there yet. */
static weir_value *folder_at(weir_settings *settings, weir_str text,
                             const weir_setting_place *place) {
    const char *path = weir_settings_path(settings, text, place);
    weir_buffer full = {0};
    char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    weir_buffer_printf(&full, "%s%s%s", here ? here : "", here ? "/" : "", path);
    weir_value *value = weir_string_from(weir_buffer_str(&full));
    free(here);
    weir_buffer_deinit(&full);
    return value;
}

void weir_artifacts_read_directory(weir_settings *settings, const weir_value *value,
                                   const weir_setting_place *place) {
    weir_member_put(artifacts_of(settings), "folder",
                    folder_at(settings, weir_string_get(value), place));
}

void weir_artifacts_read_size(weir_settings *settings, const weir_value *value,
                              const weir_setting_place *place) {
    uint64_t bytes;
    weir_error error;
    if (!weir_size_parse(weir_string_get(value), &bytes, &error) || !bytes || bytes > INT64_MAX)
        weir_settings_problem(place, "as 100GB or 512MiB",
                              "artifacts.size must be how large an artifact may be, not `%.*s`",
                              WEIR_ARG(weir_string_get(value)));
    else
        weir_member_put(artifacts_of(settings), "bytes_max", weir_int_new((int64_t)bytes));
}

void weir_artifacts_read_files(weir_settings *settings, const weir_value *value,
                               const weir_setting_place *place) {
    if (weir_int_get(value) < 1)
        weir_settings_problem(place, "", "artifacts.files must be above 0");
    else
        weir_member_put(artifacts_of(settings), "files_max", weir_int_new(weir_int_get(value)));
}

static bool is_bucket(weir_str name) {
    static const char *const kinds[] = {"s3", "gcs", "oss", "azure", "hdfs", "artifactory"};
    size_t slash = weir_str_find(name, WEIR_STR("/"), 0);
    for (size_t i = 0; slash != SIZE_MAX && i < sizeof kinds / sizeof *kinds; i++)
        if (weir_str_is(weir_str_slice(name, 0, slash), kinds[i])) return slash + 1 < name.length;
    return false;
}

void weir_artifacts_read_buckets(weir_settings *settings, const weir_value *value,
                                 const weir_setting_place *place) {
    weir_value *buckets = weir_object_new();
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_str name = weir_object_key(value, i);
        const weir_value *folder = weir_object_at(value, i);
        if (!is_bucket(name) || !weir_is(folder, WEIR_STRING))
            weir_settings_problem(place,
                                  "write `s3/NAME: FOLDER`; or gcs, oss, azure, hdfs, artifactory",
                                  "`%.*s` is no bucket with a folder", WEIR_ARG(name));
        else
            weir_member_set(buckets, name, folder_at(settings, weir_string_get(folder), place));
    }
    weir_member_put(artifacts_of(settings), "buckets", buckets);
}
