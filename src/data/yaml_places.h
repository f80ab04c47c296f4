/* The places of all nodes of a text, for who looks for many of them: weir_yaml_locate reads the text for each. One thread. */
#ifndef WEIR_DATA_YAML_PLACES_H
#define WEIR_DATA_YAML_PLACES_H

#include "data/yaml.h"

typedef struct weir_yaml_places weir_yaml_places;

/* Of what can be read of the text, which may go afterwards. */
weir_yaml_places *weir_yaml_places_new(weir_str text);
void weir_yaml_places_free(weir_yaml_places *places); /* NULL is allowed */
/* As weir_yaml_locate. */
bool weir_yaml_places_find(const weir_yaml_places *places, size_t document, weir_str path,
                           uint32_t *line, uint32_t *column);

#endif
