/* process.run: the descriptor of what the process executor does. */
#include <weir/operation.h>

static const weir_operation run = {
    .size = sizeof(weir_operation),
    .name = "process.run",
    .about = "Runs a command; every parameter is there for its tags as {{inputs.NAME}}.",
    .inputs = (const weir_port[]){{NULL, NULL, NULL}},
    .outputs =
        (const weir_port[]){
            {"result", "generic", "Standard output without its last line end, or the JSON in it."},
            {"exit_code", "int", "The exit code of the command."},
            {"files", "map", "With `sandbox`: what its outputs say, by their names."},
            {NULL, NULL, NULL},
        },
    .config =
        (const weir_port[]){
            {"command", "array", "The program and its arguments."},
            {"environment", "map", "Variables: a text, or {secret: NAME}."},
            {"directory", "str", "Where it runs; else where weir runs."},
            {"stdin", "str", "What it reads on standard input; else nothing."},
            {"source", "str", "A script; staged in a file whose path ends the command."},
            {"arguments", "array",
             "With `sandbox`: they stand behind the command, or the image's."},
            {"sandbox", "map",
             "It runs in a file system of its own: {image, mounts, outputs, …}; else in this one."},
            {"memory_every", "float",
             "Seconds between two looks at the memory of all its processes together, of which the "
             "most is kept; else what the largest of them had at most is."},
            {"format", "str", "What standard output is: text (default) or json."},
            {NULL, NULL, NULL},
        },
    .hints = WEIR_BLOCKING,
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "process",
    .version = "1",
    .operations = (const weir_operation *const[]){&run, NULL},
};

const weir_plugin *weir_process_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
