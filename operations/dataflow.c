/* dffml.dataflow.run and remap: the descriptors of what the dataflow coordinator does itself. */
#include <weir/operation.h>

static const weir_operation run = {
    .size = sizeof(weir_operation),
    .name = "dffml.dataflow.run",
    .about = "Runs the dataflow of its configuration, in contexts of its own.",
    .inputs =
        (const weir_port[]){
            {"inputs", "Dict[str,Any]",
             "{context: [{value, definition}]}; with other parameters than this the first names "
             "the "
             "one context, all are its inputs, and its results are the outputs.",
             "flow_inputs", NULL},
            {NULL, NULL, NULL},
        },
    .outputs =
        (const weir_port[]){
            {"results", "Dict[str,Any]", "A list of {context: result}, to be expanded.",
             "flow_results", NULL},
            {NULL, NULL, NULL},
        },
    .config = (const weir_port[]){{"dataflow", "map", "The dataflow, in linked form or not."},
                                  {"input_set_context_cls", "str", "Taken, without meaning here."},
                                  {"reuse", "map", "Taken, without meaning here."},
                                  {NULL, NULL, NULL}},
    .expand = (const char *const[]){"results", NULL},
};

static const weir_operation remap = {
    .size = sizeof(weir_operation),
    .name = "remap",
    .about =
        "Gives parts, renamed, of what another dataflow's output operations make of the context.",
    .inputs =
        (const weir_port[]){
            {"spec", "map", "{name: [key, key, …]}: the path of the part.", "remap_spec", NULL},
            {NULL, NULL, NULL},
        },
    .outputs =
        (const weir_port[]){
            {"response", "map", "{name: part}.", "remap_output", NULL},
            {NULL, NULL, NULL},
        },
    .config = (const weir_port[]){{"dataflow", "map", "The dataflow with the output operations."},
                                  {NULL, NULL, NULL}},
    .stage = "output",
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "dataflow",
    .version = "1",
    .operations = (const weir_operation *const[]){&run, &remap, NULL},
};

const weir_plugin *weir_dataflow_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
