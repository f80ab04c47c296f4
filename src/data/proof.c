#include "data/proof.h"

bool weir_proof_has_room(const weir_proof *proof, weir_code code) {
    return (code == WEIR_OK ? proof->warnings : proof->errors) < WEIR_PROBLEMS_MAX;
}

void weir_proof_add(weir_proof *proof, size_t root, const char *path, weir_code code,
                    weir_value *detail, const char *hint, const char *format, ...) {
    bool said = weir_proof_has_room(proof, code);
    weir_error error;
    va_list arguments;
    va_start(arguments, format);
    (void)weir_fail_with(&error, code, format, arguments);
    va_end(arguments);
    if (said) {
        weir_problems one = {0}; /* placed as the compilers' are */
        weir_document_problem(proof->document, root, path, code, &one, "%s", error.message);
        error = code == WEIR_OK ? one.warnings.items[0] : one.items[0];
        weir_problems_deinit(&one);
        if (*hint) weir_error_hint(&error, "%s", hint);
        if (proof->found) proof->found(proof->arg, &error, detail);
    }
    if (code != WEIR_OK && !proof->errors) proof->first = error;
    proof->errors += code != WEIR_OK;
    proof->warnings += code == WEIR_OK;
    weir_value_unref(detail);
}
