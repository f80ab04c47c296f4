/* Cookies as values: what a session is made of. A session is {"cookies": [cookie…]}; a cookie is
 * {"name", "value", "domain", "path": "/", "secure": false, "http_only": false, "host_only": false, "expires": 0}
 * with `expires` in seconds since 1970, 0 for one that ends with the session. Curl keeps them in the lines of Netscape's
 * file, which these functions write and read. Any thread. */
#ifndef WEIR_OPERATIONS_HTTP_COOKIE_H
#define WEIR_OPERATIONS_HTTP_COOKIE_H

#include "bytes.h"
#include <weir/operation.h>

enum { WEIR__COOKIES_MAX = 3000, WEIR__COOKIE_BYTES_MAX = 8192 };

/* False when `cookies` is no array of cookies, members but name and domain left out at will: then the call has failed. */
WEIR_CHECKED bool weir__cookies_check(const weir_host *host, weir_call *call,
                                      const weir_value *cookies);

/* Appends a cookie that was checked, as a line without its end. */
void weir__cookie_line(const weir_host *host, const weir_value *cookie, weir__bytes *out);

/* A new cookie with all members; NULL when the line is none. */
weir_value *weir__cookie_new(const weir_host *host, weir_str line);

#endif
