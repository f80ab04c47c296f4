/* Archives and compressed files: what their operations are called and take, as DFFML has them. The code is in modules
 * (archive/, compress/), for the libraries under it are many. */
#include <weir/operation.h>

static const weir_port none[] = {{NULL}};

#define FILES_MAX_ABOUT "How many files, folders and links may come out; 1000000 when absent."
#define BYTES_MAX_ABOUT                                                                            \
    "How many bytes may come out; 1 GiB when absent, or 100 times the file's size if that is "     \
    "more."

#define MAKE(format, text)                                                                         \
    static const weir_operation make_##format = {                                                  \
        .size = sizeof(weir_operation),                                                            \
        .name = "make_" #format "_archive",                                                        \
        .about = "Puts the files of a directory, and of those in it, into a " text,                \
        .inputs =                                                                                  \
            (const weir_port[]){                                                                   \
                {"input_directory_path", "str", "The directory.", "directory", NULL},              \
                {"output_file_path", "str", "The archive to make.", #format "_file", NULL},        \
                {NULL},                                                                            \
            },                                                                                     \
        .outputs =                                                                                 \
            (const weir_port[]){                                                                   \
                {"output_path", "str", "The archive.", "output_" #format "file_path", NULL},       \
                {NULL},                                                                            \
            },                                                                                     \
        .config = none,                                                                            \
        .hints = WEIR_BLOCKING,                                                                    \
        .module = "archive",                                                                       \
    }

#define EXTRACT(format)                                                                            \
    static const weir_operation extract_##format = {                                               \
        .size = sizeof(weir_operation),                                                            \
        .name = "extract_" #format "_archive",                                                     \
        .about = "Extracts an archive into a directory; what would leave it is refused.",          \
        .inputs =                                                                                  \
            (const weir_port[]){                                                                   \
                {"input_file_path", "str", "The archive.", #format "_file", NULL},                 \
                {"output_directory_path", "str", "The directory; made when absent.", "directory",  \
                 NULL},                                                                            \
                {NULL},                                                                            \
            },                                                                                     \
        .outputs =                                                                                 \
            (const weir_port[]){                                                                   \
                {"output_path", "str", "The directory.", "output_directory_path", NULL},           \
                {NULL},                                                                            \
            },                                                                                     \
        .config =                                                                                  \
            (const weir_port[]){                                                                   \
                {"max_files", "int", FILES_MAX_ABOUT, NULL, NULL},                                 \
                {"max_bytes", "int", BYTES_MAX_ABOUT, NULL, NULL},                                 \
                {NULL},                                                                            \
            },                                                                                     \
        .hints = WEIR_BLOCKING,                                                                    \
        .module = "archive",                                                                       \
    }

MAKE(zip, "zip, uncompressed.");
MAKE(tar, "tar that was not there before.");
EXTRACT(zip);
EXTRACT(tar);

#define COMPRESS(format)                                                                           \
    static const weir_operation format##_compress = {                                              \
        .size = sizeof(weir_operation),                                                            \
        .name = #format "_compress",                                                               \
        .about = "Compresses a file.",                                                             \
        .inputs =                                                                                  \
            (const weir_port[]){                                                                   \
                {"input_file_path", "str", "The file.", "decompressed_" #format "_file_path",      \
                 NULL},                                                                            \
                {"output_file_path", "str", "The file to make.",                                   \
                 "compressed_" #format "_file_path", NULL},                                        \
                {NULL},                                                                            \
            },                                                                                     \
        .outputs =                                                                                 \
            (const weir_port[]){                                                                   \
                {"output_path", "str", "The compressed file.",                                     \
                 "compressed_output_" #format "_file_path", NULL},                                 \
                {NULL},                                                                            \
            },                                                                                     \
        .config = none,                                                                            \
        .hints = WEIR_BLOCKING,                                                                    \
        .module = "compress",                                                                      \
    }

#define DECOMPRESS(format)                                                                         \
    static const weir_operation format##_decompress = {                                            \
        .size = sizeof(weir_operation),                                                            \
        .name = #format "_decompress",                                                             \
        .about = "Decompresses a file.",                                                           \
        .inputs =                                                                                  \
            (const weir_port[]){                                                                   \
                {"input_file_path", "str", "The file.", "compressed_" #format "_file_path", NULL}, \
                {"output_file_path", "str", "The file to make.",                                   \
                 "decompressed_" #format "_file_path", NULL},                                      \
                {NULL},                                                                            \
            },                                                                                     \
        .outputs =                                                                                 \
            (const weir_port[]){                                                                   \
                {"output_path", "str", "The decompressed file.",                                   \
                 "decompressed_output_" #format "_file_path", NULL},                               \
                {NULL},                                                                            \
            },                                                                                     \
        .config =                                                                                  \
            (const weir_port[]){                                                                   \
                {"max_bytes", "int", BYTES_MAX_ABOUT, NULL, NULL},                                 \
                {NULL},                                                                            \
            },                                                                                     \
        .hints = WEIR_BLOCKING,                                                                    \
        .module = "compress",                                                                      \
    }

COMPRESS(gz);
DECOMPRESS(gz);
COMPRESS(bz2);
DECOMPRESS(bz2);
COMPRESS(xz);
DECOMPRESS(xz);

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "archive",
    .version = "1",
    .operations =
        (const weir_operation *const[]){&make_zip, &extract_zip, &make_tar, &extract_tar,
                                        &gz_compress, &gz_decompress, &bz2_compress,
                                        &bz2_decompress, &xz_compress, &xz_decompress, NULL},
};

const weir_plugin *weir_archive_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
