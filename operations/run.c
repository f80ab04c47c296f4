/* weir.run: the descriptor of a child run, which the engine does. */
#include <weir/operation.h>

static const weir_operation run = {
    .size = sizeof(weir_operation),
    .name = "weir.run",
    .about =
        "Runs a dataflow, workflow or pipeline as a child run; every parameter is there for tags.",
    .inputs = (const weir_port[]){{NULL, NULL, NULL}},
    .outputs =
        (const weir_port[]){
            {"results", "generic", "The results of the child run."},
            {"phase", "str", "How it ended: Succeeded, Failed or Error."},
            {NULL, NULL, NULL},
        },
    .config =
        (const weir_port[]){
            {"file", "str", "The file to run; relative to the folder of the parent's file."},
            {"inputs", "map", "Its inputs or parameters: {name: text}."},
            {NULL, NULL, NULL},
        },
    .hints = WEIR_BLOCKING,
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "run",
    .version = "1",
    .operations = (const weir_operation *const[]){&run, NULL},
};

const weir_plugin *weir_run_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
