#include "artifact/carry.h"

#include "artifact/work.h"

static void init(weir__work *w, const weir_carrying *carrying, weir_error *error) {
    static const weir_artifact_limits any = {UINT64_MAX, UINT64_MAX};
    weir__work_init(w, carrying->what, &any, NULL, error);
    w->depth_max = WEIR_CARRY_DEPTH_MAX;
    w->carried = true;
    w->carrying = carrying;
}

/* Without compression: a backup has its own. */
bool weir_tree_pack(const weir_carrying *carrying, int from, int to, weir_carried *out,
                    weir_error *error) {
    weir__work w;
    init(&w, carrying, error);
    bool ok = weir__pack(&w, from, "tree", WEIR__ARCHIVE_TAR, 0, to);
    *out = (weir_carried){w.files, w.left_out};
    weir__work_deinit(&w);
    return ok;
}

bool weir_tree_unpack(const weir_carrying *carrying, int from, int folder, const char *name,
                      weir_error *error) {
    weir__work w;
    init(&w, carrying, error);
    bool ok = weir__unpack(&w, from, WEIR__ARCHIVE_TAR, NULL, folder, name);
    weir__work_deinit(&w);
    return ok;
}
