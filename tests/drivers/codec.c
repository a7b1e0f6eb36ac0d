/* Looking into the codec lists of a profile: for every library of the fake drivers. */
#include <string.h>

#include "fake.h"

const struct fake_codec *fake_codec_find(const struct fake_engine *engine, const char *name)
{
    for (int i = 0; i < engine->codec_count; i++) {
        if (strcmp(engine->codecs[i].name, name) == 0) {
            return &engine->codecs[i];
        }
    }
    return NULL;
}
