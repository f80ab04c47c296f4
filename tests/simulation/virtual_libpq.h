/* libpq, as weir calls it, in front of a virtual server (virtual_server.h). */
#ifndef WEIR_SIMULATION_VIRTUAL_LIBPQ_H
#define WEIR_SIMULATION_VIRTUAL_LIBPQ_H

#include "virtual_server.h"

/* Connections that are made from now on lead there. */
void virtual_libpq_use(virtual_server *server);

#endif
