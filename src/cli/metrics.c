/* `weir metrics`: what workflows gave, in Prometheus' text form. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/map.h"
#include "cli/commands.h"

#define PREFIX "argo_workflows_"

/* One of a name's rows of labels. */
typedef struct series {
    char *labels;   /* `a="1",b="2"`: as printed */
    double value;   /* of a histogram the sum */
    uint64_t count; /* of a histogram */
    uint64_t *counts;
} series;

typedef struct family {
    const weir_value *first; /* name, type, help, buckets: as they were said first */
    weir_map places;
    WEIR_VECTOR(series) rows;
} family;

typedef struct families {
    weir_map places;
    WEIR_VECTOR(family) items;
} families;

/* --- gathering ------------------------------------------------------------------------------------- */

static void append_escaped(weir_buffer *out, weir_str text, bool quotes) {
    for (size_t i = 0; i < text.length; i++) {
        char ch = text.data[i];
        if (ch == '\\' || (quotes && ch == '"')) weir_buffer_byte(out, '\\');
        if (ch == '\n')
            weir_buffer_text(out, "\\n");
        else
            weir_buffer_byte(out, ch);
    }
}

static char *labels_of(const weir_value *labels) {
    weir_buffer out = {0};
    for (size_t i = 0; weir_is(labels, WEIR_OBJECT) && i < weir_value_count(labels); i++) {
        const weir_value *text = weir_object_at(labels, i);
        weir_buffer_printf(&out, "%s%.*s=\"", i ? "," : "", WEIR_ARG(weir_object_key(labels, i)));
        if (weir_is(text, WEIR_STRING)) append_escaped(&out, weir_string_get(text), true);
        weir_buffer_byte(&out, '"');
    }
    char *all = weir_str_dup(weir_buffer_str(&out));
    weir_buffer_deinit(&out);
    return all;
}

static family *family_of(families *all, const weir_value *metric) {
    weir_str name = weir_member_text(metric, "name");
    uint64_t at;
    if (weir_map_get(&all->places, name, &at)) return &all->items.items[at];
    weir_map_set(&all->places, name, all->items.count);
    family *f = weir_vector_push(&all->items);
    *f = (family){.first = metric};
    return f;
}

static size_t bucket_count(const family *f) {
    const weir_value *buckets = weir_member_named(f->first, "buckets");
    return weir_is(buckets, WEIR_ARRAY) ? weir_value_count(buckets) : 0;
}

static double bucket_at(const family *f, size_t at) {
    const weir_value *bound = weir_array_at(weir_member_named(f->first, "buckets"), at);
    return weir_is(bound, WEIR_FLOAT) || weir_is(bound, WEIR_INT) ? weir_number_get(bound) : 0;
}

static series *series_of(family *f, const weir_value *metric) {
    char *labels = labels_of(weir_member_named(metric, "labels"));
    uint64_t at;
    if (weir_map_get(&f->places, weir_str_from(labels), &at)) {
        weir_free(labels);
        return &f->rows.items[at];
    }
    weir_map_set(&f->places, weir_str_from(labels), f->rows.count);
    series *s = weir_vector_push(&f->rows);
    *s =
        (series){.labels = labels, .counts = weir_alloc((bucket_count(f) + 1) * sizeof *s->counts)};
    return s;
}

static void add_metric(families *all, const weir_value *metric) {
    const weir_value *given = weir_member_named(metric, "value");
    bool number = weir_is(given, WEIR_FLOAT) || weir_is(given, WEIR_INT);
    double value = number ? weir_number_get(given) : 0;
    family *f = family_of(all, metric);
    weir_str type = weir_member_text(f->first, "type"),
             operation = weir_member_text(metric, "operation");
    if (!weir_str_equal(type, weir_member_text(metric, "type"))) return; /* a name has one type */
    series *s = series_of(f, metric);
    bool sets = weir_str_is(type, "gauge") && !weir_str_is(operation, "Add") &&
                !weir_str_is(operation, "Sub");
    if (sets)
        s->value = value;
    else
        s->value += weir_str_is(operation, "Sub") ? -value : value;
    s->count++;
    for (size_t i = 0; i < bucket_count(f); i++) s->counts[i] += value <= bucket_at(f, i);
}

static void free_families(families *all) {
    for (size_t i = 0; i < all->items.count; i++) {
        family *f = &all->items.items[i];
        for (size_t k = 0; k < f->rows.count; k++) {
            weir_free(f->rows.items[k].labels);
            weir_free(f->rows.items[k].counts);
        }
        weir_vector_deinit(&f->rows);
        weir_map_deinit(&f->places);
    }
    weir_vector_deinit(&all->items);
    weir_map_deinit(&all->places);
}

/* --- writing --------------------------------------------------------------------------------------- */

static void write_row(weir_buffer *out, const family *f, const char *suffix, const char *labels,
                      const char *more, double value) {
    bool any = *labels || *more;
    weir_buffer_printf(out, PREFIX "%.*s%s%s%s%s%s%s ",
                       WEIR_ARG(weir_member_text(f->first, "name")), suffix, any ? "{" : "", labels,
                       *labels && *more ? "," : "", more, any ? "}" : "");
    weir_buffer_printf(out, "%.17g\n", value);
}

static void write_histogram(weir_buffer *out, const family *f, const series *s) {
    char bound[64];
    for (size_t i = 0; i < bucket_count(f); i++) {
        snprintf(bound, sizeof bound, "le=\"%g\"", bucket_at(f, i));
        write_row(out, f, "_bucket", s->labels, bound, (double)s->counts[i]);
    }
    write_row(out, f, "_bucket", s->labels, "le=\"+Inf\"", (double)s->count);
    write_row(out, f, "_sum", s->labels, "", s->value);
    write_row(out, f, "_count", s->labels, "", (double)s->count);
}

static void write_family(weir_buffer *out, const family *f) {
    weir_str name = weir_member_text(f->first, "name"), type = weir_member_text(f->first, "type");
    weir_buffer_printf(out, "# HELP " PREFIX "%.*s ", WEIR_ARG(name));
    append_escaped(out, weir_member_text(f->first, "help"), false);
    weir_buffer_printf(out, "\n# TYPE " PREFIX "%.*s %.*s\n", WEIR_ARG(name), WEIR_ARG(type));
    for (size_t i = 0; i < f->rows.count; i++) {
        if (weir_str_is(type, "histogram"))
            write_histogram(out, f, &f->rows.items[i]);
        else
            write_row(out, f, "", f->rows.items[i].labels, "", f->rows.items[i].value);
    }
}

static void write_text(const weir_value *metrics, weir_buffer *out) {
    families all = {0};
    for (size_t i = 0; i < weir_value_count(metrics); i++)
        add_metric(&all, weir_array_at(metrics, i));
    for (size_t i = 0; i < all.items.count; i++) write_family(out, &all.items.items[i]);
    free_families(&all);
}

/* Whoever reads the file finds it whole: it gets its name at the end. */
static bool write_file(const char *file, weir_str text, weir_error *error) {
    weir_buffer part = {0};
    weir_buffer_printf(&part, "%s.part", file);
    int fd = open(part.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && weir_descriptor_write(fd, text);
    ok = fd >= 0 && close(fd) == 0 && ok;
    ok = ok && rename(part.data, file) == 0;
    if (!ok) {
        weir_fail(error, WEIR_IO, "`%s` cannot be written: %s", file, strerror(errno));
        unlink(part.data);
    }
    weir_buffer_deinit(&part);
    return ok;
}

bool weir_metrics_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    const char *run = cli->words.count ? cli->words.items[0] : NULL,
               *file = weir_cli_text(cli, WEIR_FLAG_TEXTFILE);
    weir_value *metrics;
    if (!weir_metrics(engine, run, &metrics, error)) return false;
    bool ok = true;
    weir_buffer text = {0};
    if (!weir_cli_whole(cli)) write_text(metrics, &text);
    if (weir_cli_whole(cli))
        weir_cli_print(cli, metrics);
    else if (file)
        ok = write_file(file, weir_buffer_str(&text), error);
    else
        weir_buffer_str_append(&cli->out.text, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    weir_value_unref(metrics);
    return ok;
}
