/* Time zones of the system's database, TZif files (RFC 9636), as Go's programs find them: in $ZONEINFO, then where systems keep them. A
 * list belongs to one thread; each zone is read once. */
#ifndef WEIR_ENGINE_ZONE_H
#define WEIR_ENGINE_ZONE_H

#include "base/error.h"
#include "base/vector.h"
#include "expr/gotime.h"

typedef struct weir__zones {
    weir_arena arena; /* its owner begins and ends it */
    WEIR_VECTOR(x_zone *) items;
} weir__zones;

void weir__zones_init(weir__zones *zones);
void weir__zones_deinit(weir__zones *zones);
/* "" and "UTC" are UTC, "Local" is this machine's. INVALID: there is none of that name, or no database. Lives as long as the list. */
WEIR_CHECKED bool weir__zones_find(weir__zones *zones, weir_str name, const x_zone **out,
                                   weir_error *error);
/* Appends what the database calls this machine's zone ($TZ, else /etc/localtime); "Local" where that has no name there, "UTC" where nobody
 * says. */
void weir__zone_of_machine(weir_buffer *out);
/* Appends the file of a zone; false: there is none. For weir_expr_world. */
bool weir__zone_file(void *arg, weir_str name, weir_buffer *out);

#endif
