/* The plain part of YAML, which nearly all large files are written in by programs: one document of printable ASCII in block style, whose
 * scalars stand on one line, without escapes, and whose collections in flow style do, too; no anchors, tags, directives, tabs or
 * literal text. A small part of libyaml's time goes into it. Whatever is not plain, or wrong, is left to libyaml: there is
 * no error. Any thread. */
#ifndef WEIR_DATA_YAML_PLAIN_H
#define WEIR_DATA_YAML_PLAIN_H

#include "data/yaml.h"

/* What weir_yaml_parse makes of the text; NULL: it is not plain. */
weir_value *weir__yaml_plain(weir_str text, weir_yaml_booleans booleans);
/* As weir_yaml_locate, of a text that is plain. False: it has to look. */
bool weir__yaml_plain_locate(weir_str text, weir_str path, uint32_t *line, uint32_t *column);

#endif
