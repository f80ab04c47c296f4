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

void weir_proof_list(weir_proof *proof, const char *key, weir_value *item) {
    weir_value *list = weir_member_named(proof->summary, key);
    if (!list) weir_member_put(proof->summary, key, list = weir_array_new());
    if (weir_value_count(list) < WEIR_PROOF_LISTED_MAX)
        weir_array_append(list, item);
    else
        weir_value_unref(item);
}

void weir_proof_count(weir_proof *proof, const char *key, size_t more) {
    int64_t before = (int64_t)weir_member_count(proof->summary, key);
    weir_member_put(proof->summary, key, weir_int_new(before + (int64_t)more));
}
