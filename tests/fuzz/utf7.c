/*
 * Modified UTF-7: what can be decoded is encoded again to the same octets, and
 * what can be encoded is decoded again to the same name.
 */
#include "config.h"

#include "../../plugins/imap/utf7.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "driver.h"

typedef pr_status convert_fn(struct pr_bytes in, struct pr_buffer *out);

/* There and back again; `may_refuse`: the way back need not exist. */
static void try_both(struct pr_bytes in, convert_fn *there, convert_fn *back,
                     bool may_refuse)
{
    struct pr_buffer out = {.cap = 1 << 20}, again = {.cap = 1 << 20};

    if (there(in, &out) == PR_OK) {
        struct pr_bytes middle = {pr_buffer_text(&out), out.size};
        pr_status status = back(middle, &again);
        if (status != PR_OK && !may_refuse)
            abort();
        if (status == PR_OK &&
            (again.size != in.size ||
             (in.size > 0 && memcmp(again.data, in.data, in.size) != 0)))
            abort();
        if (may_refuse && !text_is_utf8(middle))
            abort();
    } else if (out.size != 0) {
        abort();
    }
    pr_buffer_done(&out);
    pr_buffer_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pr_bytes in = {(const char *)data, size};

    /* A control character can be decoded, but is never encoded. */
    try_both(in, imap_utf7_decode, imap_utf7_encode, true);
    try_both(in, imap_utf7_encode, imap_utf7_decode, false);
    return 0;
}
