/* The standard operations: plugins like anyone's, linked into weir. */
#ifndef WEIR_OPERATIONS_H
#define WEIR_OPERATIONS_H

#include <weir/operation.h>

const weir_plugin *weir_calculator_plugin(const weir_host *host);
const weir_plugin *weir_files_plugin(const weir_host *host);
const weir_plugin *weir_html_plugin(const weir_host *host);
const weir_plugin *weir_http_plugin(const weir_host *host);
const weir_plugin *weir_output_plugin(const weir_host *host);
const weir_plugin *weir_process_plugin(const weir_host *host);
const weir_plugin *weir_run_plugin(const weir_host *host);
const weir_plugin *weir_url_plugin(const weir_host *host);

#endif
