/* The functions of libpq that the store calls: the module weir-postgresql.so has them, so that only who uses PostgreSQL
 * maps libpq. Program and module are built together; `size` tells when they were not. */
#ifndef WEIR_STORE_POSTGRESQL_API_H
#define WEIR_STORE_POSTGRESQL_API_H

#include <stdint.h>

#include <libpq-fe.h>

#define WEIR__LIBPQ(X)                                                                             \
    X(conninfoParse)                                                                               \
    X(conninfoFree)                                                                                \
    X(freemem)                                                                                     \
    X(connectdbParams)                                                                             \
    X(finish)                                                                                      \
    X(status)                                                                                      \
    X(errorMessage)                                                                                \
    X(user)                                                                                        \
    X(host)                                                                                        \
    X(port)                                                                                        \
    X(db)                                                                                          \
    X(serverVersion)                                                                               \
    X(setNoticeProcessor)                                                                          \
    X(exec)                                                                                        \
    X(prepare)                                                                                     \
    X(execParams)                                                                                  \
    X(execPrepared)                                                                                \
    X(sendQueryPrepared)                                                                           \
    X(setSingleRowMode)                                                                            \
    X(getResult)                                                                                   \
    X(getCancel)                                                                                   \
    X(cancel)                                                                                      \
    X(freeCancel)                                                                                  \
    X(resultStatus)                                                                                \
    X(resultErrorField)                                                                            \
    X(ntuples)                                                                                     \
    X(getvalue)                                                                                    \
    X(getlength)                                                                                   \
    X(cmdTuples)                                                                                   \
    X(clear)

typedef struct weir__libpq {
    uint32_t size;
#define X(name) __typeof__ (&PQ##name)(name);
    WEIR__LIBPQ(X)
#undef X
} weir__libpq;

typedef const weir__libpq *weir__libpq_open(void);

#endif
