/* readinessProbe of a daemon's container, as executor/probe.h has it. */
#include "workflow/template.h"

/* What is being compiled. */
typedef struct probe {
    weir__compiler *c;
    const weir__site *site;
    const weir_value *container; /* whose ports have names */
    weir_value *out;
} probe;

static void put_text(const probe *p, const weir_value *source, const char *key, weir_value *to) {
    weir_str text;
    if (!weir__text_field(p->c, source, key, &text) || !text.length) return;
    size_t mark = weir__enter(p->c, "%s", key);
    weir__check_text(p->c, p->site, text, NULL);
    weir__leave(p->c, mark);
    weir_member_put(to, key, weir_string_from(text));
}

/* A port's number, also of one that is given by its name among the container's. */
static weir_str find_port(const probe *p, weir_str port) {
    const weir_value *list = weir_member_named(p->container, "ports");
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *one = weir_array_at(list, i);
        weir_str number;
        if (weir_str_equal(weir_member_text(one, "name"), port) &&
            weir__any_text(p->c, weir_member_named(one, "containerPort"), &number))
            return number;
    }
    return port;
}

static void put_port(const probe *p, const weir_value *source, weir_value *to) {
    weir_str port = WEIR_STR("");
    bool given = weir__text_field(p->c, source, "port", &port) && port.length;
    if (given) port = find_port(p, port);
    size_t mark = weir__enter(p->c, "port");
    bool number = given, tags = weir_str_find(port, WEIR_STR("{{"), 0) != SIZE_MAX;
    for (size_t i = 0; i < port.length; i++)
        number = number && port.data[i] >= '0' && port.data[i] <= '9';
    if (tags)
        weir__check_text(p->c, p->site, port, NULL);
    else if (!number || port.length > 5)
        weir__problem(p->c, WEIR_INVALID,
                      "a probe's port is a number, or the name of one of the "
                      "container's ports");
    weir__leave(p->c, mark);
    weir_member_put(to, "port", weir_string_from(port));
}

static void put_headers(const probe *p, const weir_value *http, weir_value *to) {
    const weir_value *list = weir__field(p->c, http, "httpHeaders", WEIR_ARRAY);
    weir_value *headers = weir_array_new();
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(p->c, "httpHeaders/%zu", i);
        weir_value *header = weir_object_new();
        put_text(p, weir_array_at(list, i), "name", header);
        put_text(p, weir_array_at(list, i), "value", header);
        weir_array_append(headers, header);
        weir__leave(p->c, mark);
    }
    weir_member_put(to, "headers", headers);
}

static void put_http(const probe *p, const weir_value *http) {
    weir_value *to = weir_object_new();
    size_t mark = weir__enter(p->c, "httpGet");
    put_text(p, http, "path", to);
    put_text(p, http, "host", to);
    put_port(p, http, to);
    put_headers(p, http, to);
    weir_str scheme;
    if (weir__text_field(p->c, http, "scheme", &scheme) && !weir_str_is(scheme, "HTTP") &&
        scheme.length) {
        weir__enter(p->c, "scheme");
        weir__problem(p->c, WEIR_UNSUPPORTED,
                      "a probe's scheme is HTTP: others are not supported yet");
    }
    weir__leave(p->c, mark);
    weir_member_put(p->out, "http", to);
}

static void put_tcp(const probe *p, const weir_value *tcp) {
    weir_value *to = weir_object_new();
    size_t mark = weir__enter(p->c, "tcpSocket");
    put_text(p, tcp, "host", to);
    put_port(p, tcp, to);
    weir__leave(p->c, mark);
    weir_member_put(p->out, "tcp", to);
}

static void put_exec(const probe *p, const weir_value *exec) {
    weir_value *command = weir_array_new();
    size_t mark = weir__enter(p->c, "exec");
    const weir_value *list = weir__field(p->c, exec, "command", WEIR_ARRAY);
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t inner = weir__enter(p->c, "command/%zu", i);
        weir_str text;
        if (weir__any_text(p->c, weir_array_at(list, i), &text)) {
            weir__check_text(p->c, p->site, text, NULL);
            weir_array_append(command, weir_string_from(text));
        }
        weir__leave(p->c, inner);
    }
    if (!weir_value_count(command)) weir__problem(p->c, WEIR_INVALID, "exec.command is required");
    weir__leave(p->c, mark);
    weir_member_put(p->out, "exec", command);
}

static void put_number(const probe *p, const weir_value *source, const char *key, uint64_t times,
                       const char *as) {
    enum { MOST = 1000 * 1000 };
    const weir_value *value = weir__field(p->c, source, key, WEIR_INT);
    if (!value) return;
    size_t mark = weir__enter(p->c, "%s", key);
    if (weir_int_get(value) < 0 || weir_int_get(value) > MOST)
        weir__problem(p->c, WEIR_INVALID, "%s is from 0 to %d", key, MOST);
    else
        weir_member_put(p->out, as, weir_int_new(weir_int_get(value) * (int64_t)times));
    weir__leave(p->c, mark);
}

weir_value *weir__compile_probe(weir__compiler *c, const weir__site *site,
                                const weir_value *container) {
    enum { SECOND_US = 1000 * 1000 };
    const weir_value *source = weir__field(c, container, "readinessProbe", WEIR_OBJECT);
    if (!source) return NULL;
    probe p = {.c = c, .site = site, .container = container, .out = weir_object_new()};
    size_t mark = weir__enter(c, "readinessProbe");
    static const char *const unsupported[] = {"grpc", NULL};
    weir__refuse(c, source, unsupported);
    const weir_value *http = weir__field(c, source, "httpGet", WEIR_OBJECT),
                     *tcp = weir__field(c, source, "tcpSocket", WEIR_OBJECT),
                     *exec = weir__field(c, source, "exec", WEIR_OBJECT);
    if (http) put_http(&p, http);
    if (tcp) put_tcp(&p, tcp);
    if (exec) put_exec(&p, exec);
    if (weir_value_count(p.out) != 1 && !weir_member_named(source, "grpc"))
        weir__problem(c, WEIR_INVALID, "a probe has one of exec, httpGet and tcpSocket");
    put_number(&p, source, "initialDelaySeconds", SECOND_US, "delay_us");
    put_number(&p, source, "periodSeconds", SECOND_US, "period_us");
    put_number(&p, source, "timeoutSeconds", SECOND_US, "timeout_us");
    put_number(&p, source, "successThreshold", 1, "successes");
    weir__leave(c, mark);
    return p.out;
}
