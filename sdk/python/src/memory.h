/* Memory of large arrays in a worker process, which others can have without a copy. Loaded by sdk/python/weir/values.py through ctypes; it needs
 * the C library only.
 *
 * A spare is memory of a memfd, which this process alone can write; others get descriptors for reading, opened anew. As long as one of these is open or
 * mapped anywhere, the kernel gives no write lease: so it is known when nobody has the memory any more, and it is used again, as the kernel
 * takes longer to find pages than to copy into them.
 * NumPy's large arrays are made in spares that are free. Such an array is given to others without a copy: what this process has at its address
 * from then on is a private mapping of the same memory, in which what it writes is its own.
 * Any thread. A child that is forked has its arrays as its own, and no spares. */
#ifndef WEIR_SDK_MEMORY_H
#define WEIR_SDK_MEMORY_H

#include <stddef.h>

#define WEIR_MEMORY_EXPORTED __attribute__((visibility("default")))

/* A descriptor of memory that begins with a copy of the bytes; -1 and errno: there is none, or the kernel is too old for it. */
WEIR_MEMORY_EXPORTED int weir_memory_copy(const void *bytes, size_t size);
/* A descriptor of the memory in which an array lies, and where in it the bytes are; from now on nobody changes them. -1: they are in no such
 * array, or are less than half of its memory, which all of it would be kept for. */
WEIR_MEMORY_EXPORTED int weir_memory_lend(const void *bytes, size_t size, size_t *offset);
/* Gives spares back to the system; those with arrays go with these. */
WEIR_MEMORY_EXPORTED void weir_memory_drop(void);
/* NumPy's PyDataMem_Handler over one of its own, which makes all others. One for the process. */
WEIR_MEMORY_EXPORTED void *weir_memory_handler(const void *others);

#endif
