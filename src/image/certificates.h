/* Certificates of registries that somebody put where docker and podman look for them (certs.d: dockerd(8), containers-certs.d(5)): who may vouch for a registry
 * beside those that the system trusts, and the certificate that it wants to see of us. Any thread. */
#ifndef WEIR_IMAGE_CERTIFICATES_H
#define WEIR_IMAGE_CERTIFICATES_H

#include "base/error.h"
#include "base/text.h"

typedef struct weir__certificates {
    weir_buffer authorities;      /* PEM; empty: none */
    weir_buffer certificate, key; /* PEM, of us; empty: none */
} weir__certificates;

/* Of HOST[:PORT], from the first of these that is there, each with /HOST[:PORT]: CONFIG/containers/certs.d, CONFIG/docker/certs.d (CONFIG is
 * $XDG_CONFIG_HOME or ~/.config), /etc/containers/certs.d, /etc/docker/certs.d. NAME.crt vouches, NAME.cert and NAME.key are ours, of the first NAME. Errors:
 * INVALID for one of these without the other; NOT_FOUND, IO, LIMIT. */
WEIR_CHECKED bool weir__certificates_find(const char *host, weir__certificates *out,
                                          weir_error *error);
/* The same from that folder, which may not be there. */
WEIR_CHECKED bool weir__certificates_read(const char *folder, bool *there, weir__certificates *out,
                                          weir_error *error);
void weir__certificates_deinit(weir__certificates *certificates);

#endif
