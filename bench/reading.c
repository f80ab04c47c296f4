/* Reads a file into values and does nothing with them: what anything that looks at it takes at least. usage: reading FILE */
#include <stdio.h>

#include "data/document.h"

int main(int argc, char **argv) {
    weir_document document = {0};
    weir_error error;
    if (argc != 2) return 2;
    if (!weir_document_load(&document, argv[1], WEIR_YAML_GUESSED, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("%zu\n", document.roots.count);
    return 0; /* as weir does, which leaves its memory to the system */
}
