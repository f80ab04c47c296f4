/* URLs and references to them, as RFC 3986 has them. A split reference borrows from its text. A part that is not there has
 * no data; one that is empty has data and the length 0 (section 5.3 tells them apart). Pure; any thread. */
#ifndef WEIR_OPERATIONS_REFERENCE_H
#define WEIR_OPERATIONS_REFERENCE_H

#include "bytes.h"

enum { WEIR__URL_BYTES_MAX = 64 * 1024 };

typedef struct weir__reference {
    weir_str scheme, user, host, port, path, query, fragment; /* `host` of IPv6 with its brackets */
} weir__reference;

/* Appends what a person or a page wrote as a reference that RFC 3986 allows: blanks around it dropped, tabs and line
 * ends within it too, and what must be is percent-encoded, as browsers do. False for a control character, for a text
 * that is too long, and what `weir__reference_split` refuses; then `*problem` says what is wrong. */
WEIR_CHECKED bool weir__reference_clean(weir_str text, weir__bytes *out, const char **problem);

/* Appendix B, and that scheme, host and port are ones. */
WEIR_CHECKED bool weir__reference_split(weir_str text, weir__reference *out, const char **problem);

/* Section 5.2 and 5.3, strict: appends what `reference` means in a document at `base`, which has a scheme. */
void weir__reference_resolve(const weir__reference *base, const weir__reference *reference,
                             weir__bytes *out);

/* Appends it so that equal URLs are equal texts (sections 6.2.2 and 6.2.3): scheme and host in lower case, no port that is the
 * scheme's own, no empty path of http and https, no dot segments. */
void weir__reference_normalize(const weir__reference *reference, bool with_user, bool with_fragment,
                               weir__bytes *out);

/* Whether the scheme is http or https, and there is a host. */
bool weir__reference_is_web(const weir__reference *reference);
/* The port, or that of the scheme; 0 when it is not known. */
unsigned weir__reference_port(const weir__reference *reference);
/* Appends the host in lower case, without the brackets of IPv6. */
void weir__reference_host(const weir__reference *reference, weir__bytes *out);
/* Same scheme, host and port. */
bool weir__reference_same_origin(const weir__reference *a, const weir__reference *b);

/* application/x-www-form-urlencoded: appends a name or a value; and the reverse. */
void weir__form_encode(weir_str text, weir__bytes *out);
void weir__form_decode(weir_str text, weir__bytes *out);

#endif
