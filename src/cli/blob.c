#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"

static const char *owner_of(const weir_cli *cli) {
    const char *owner = weir_cli_text(cli, WEIR_FLAG_OWNER);
    return owner ? owner : "user";
}

/* Opens the engine, does what the command does, and says what was wrong. */
static int with_engine(weir_cli *cli,
                       bool (*act)(weir_cli *cli, weir_engine *engine, weir_error *error)) {
    weir_error error;
    weir_engine *engine;
    if (!weir_cli_open_blobs(cli, &engine, &error)) return weir_cli_fail(&error);
    bool ok = act(cli, engine, &error);
    weir_close(engine);
    return ok ? 0 : weir_cli_fail(&error);
}

/* --- put ------------------------------------------------------------------------------------ */

static bool put(weir_cli *cli, weir_engine *engine, weir_error *error) {
    const char *file = cli->words.items[0];
    bool input = strcmp(file, "-") == 0;
    weir_value *value;
    int fd = input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return weir_fail(error, errno == ENOENT ? WEIR_NOT_FOUND : WEIR_IO,
                         "cannot open `%.200s`: %s", file, strerror(errno));
    bool ok = weir_put_blob(engine, fd, owner_of(cli), &value, error);
    if (!input) close(fd);
    if (!ok) return false;
    if (weir_cli_whole(cli))
        weir_cli_print(cli, value);
    else
        weir_buffer_printf(&cli->out.text, "%s\n", weir_member_text(value, "digest").data);
    weir_value_unref(value);
    return true;
}

int weir_blob_put_command(weir_cli *cli) {
    return with_engine(cli, put);
}

/* --- get ------------------------------------------------------------------------------------ */

/* "FROM-TO", "FROM-" or "FROM", both counted from 0. */
static bool read_range(const char *text, uint64_t *from, uint64_t *length, weir_error *error) {
    char *end;
    unsigned long long first = 0, last = UINT64_MAX;
    bool ok = *text >= '0' && *text <= '9';
    errno = 0;
    if (ok) first = strtoull(text, &end, 10);
    if (ok && *end == '-') end++;
    if (ok && *end >= '0' && *end <= '9') last = strtoull(end, &end, 10);
    if (!ok || *end || errno || last < first || first > INT64_MAX)
        return weir_fail(error, WEIR_USAGE, "`--range` must be FROM-TO, in bytes, or FROM-");
    *from = first;
    *length = last == UINT64_MAX ? UINT64_MAX : last - first + 1;
    return true;
}

static bool fail_file(const char *file, weir_error *error) {
    return weir_fail(error, WEIR_IO, "cannot write `%.200s`: %s", file, strerror(errno));
}

/* The file gets its name once it is whole; what is no file (a pipe, /dev/null) is written as it comes. */
static bool get_into_file(weir_engine *engine, const char *digest, uint64_t from, uint64_t length,
                          const char *file, weir_error *error) {
    struct stat info;
    bool direct = stat(file, &info) == 0 && !S_ISREG(info.st_mode);
    weir_buffer part = {0};
    weir_buffer_printf(&part, direct ? "%s" : "%s.part-%ld", file, (long)getpid());
    int flags = direct ? O_WRONLY : O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    int fd = open(part.data, flags | O_CLOEXEC, 0666);
    bool ok = fd >= 0 || fail_file(file, error);
    if (ok) {
        ok = weir_get_blob(engine, digest, from, length, fd, error);
        if (close(fd) < 0 && ok) ok = fail_file(file, error);
        if (ok && !direct && rename(part.data, file) < 0) ok = fail_file(file, error);
        if (!ok && !direct) unlink(part.data);
    }
    weir_buffer_deinit(&part);
    return ok;
}

static bool get(weir_cli *cli, weir_engine *engine, weir_error *error) {
    const char *range = weir_cli_text(cli, WEIR_FLAG_RANGE), *digest = cli->words.items[0],
               *file = weir_cli_text(cli, WEIR_FLAG_OUTPUT);
    uint64_t from = 0, length = UINT64_MAX;
    if (range && !read_range(range, &from, &length, error)) return false;
    if (file) return get_into_file(engine, digest, from, length, file, error);
    return weir_get_blob(engine, digest, from, length, cli->out.fd, error);
}

int weir_blob_get_command(weir_cli *cli) {
    return with_engine(cli, get);
}

/* --- list and show -------------------------------------------------------------------------- */

static void print_line(weir_buffer *out, const weir_value *blob) {
    char moment[32];
    weir_buffer_printf(out, "%s  %12llu  %s\n", weir_member_text(blob, "digest").data,
                       (unsigned long long)weir_member_count(blob, "size"),
                       weir_moment_format(weir_member_count(blob, "modified"), moment));
}

typedef struct lister {
    weir_cli *cli;
    weir_value *all; /* NULL: each is printed as it comes */
} lister;

static bool list_blob(void *arg, const weir_value *blob) {
    lister *l = arg;
    weir_output *out = &l->cli->out;
    if (l->all)
        weir_array_append(l->all, weir_value_ref((weir_value *)(void *)blob));
    else if (weir_cli_form(l->cli, "jsonl"))
        weir_output_value(out, blob, 0);
    else if (weir_cli_form(l->cli, "name"))
        weir_buffer_printf(&out->text, "%s\n", weir_member_text(blob, "digest").data);
    else
        print_line(&out->text, blob);
    return l->all || weir_output_more(out);
}

static bool list(weir_cli *cli, weir_engine *engine, weir_error *error) {
    lister l = {cli, weir_cli_whole(cli) ? weir_array_new() : NULL};
    bool ok = weir_list_blobs(engine, list_blob, &l, error);
    if (ok && l.all) weir_cli_print(cli, l.all);
    weir_value_unref(l.all);
    return ok;
}

int weir_blob_list_command(weir_cli *cli) {
    return with_engine(cli, list);
}

static bool show(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_value *blob;
    if (!weir_show_blob(engine, cli->words.items[0], &blob, error)) return false;
    if (weir_cli_whole(cli)) {
        weir_cli_print(cli, blob);
    } else {
        const weir_value *owners = weir_member_named(blob, "owners");
        print_line(&cli->out.text, blob);
        for (size_t i = 0; i < weir_value_count(owners); i++)
            weir_buffer_printf(&cli->out.text, "owner %s\n",
                               weir_string_get(weir_array_at(owners, i)).data);
    }
    weir_value_unref(blob);
    return true;
}

int weir_blob_show_command(weir_cli *cli) {
    return with_engine(cli, show);
}

/* --- rm and prune --------------------------------------------------------------------------- */

static bool rm(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_value *value;
    if (!weir_drop_blob(engine, cli->words.items[0], owner_of(cli), &value, error)) return false;
    if (weir_cli_whole(cli))
        weir_cli_print(cli, value);
    else
        weir_buffer_text(&cli->out.text, weir_bool_get(weir_member_named(value, "removed"))
                                             ? "removed\n"
                                             : "kept: others refer to it\n");
    weir_value_unref(value);
    return true;
}

int weir_blob_rm_command(weir_cli *cli) {
    return with_engine(cli, rm);
}

static bool prune(weir_cli *cli, weir_engine *engine, weir_error *error) {
    bool dry = weir_cli_has(cli, WEIR_FLAG_DRY_RUN);
    weir_value *value;
    if (!weir_prune_blobs(engine, !dry, &value, error)) return false;
    if (weir_cli_whole(cli))
        weir_cli_print(cli, value);
    else
        weir_buffer_printf(&cli->out.text,
                           "%s %llu blobs of %llu bytes, kept %llu; %llu leftovers\n",
                           dry ? "would remove" : "removed",
                           (unsigned long long)weir_member_count(value, "removed"),
                           (unsigned long long)weir_member_count(value, "bytes"),
                           (unsigned long long)weir_member_count(value, "kept"),
                           (unsigned long long)weir_member_count(value, "leftovers"));
    weir_value_unref(value);
    return true;
}

/* With the store, where there is one: it knows what runs have left. */
int weir_blob_prune_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    if (!weir_cli_open(cli, true, NULL, &engine, &error))
        return error.code == WEIR_NOT_FOUND ? with_engine(cli, prune) : weir_cli_fail(&error);
    bool ok = prune(cli, engine, &error);
    weir_close(engine);
    return ok ? 0 : weir_cli_fail(&error);
}
