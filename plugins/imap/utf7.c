/*
 * Mailbox names in modified UTF-7.
 */
#include "utf7.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool is_direct(char c)
{
    return c >= ' ' && c <= '~';
}

static pr_status add_octet(struct pr_buffer *ret, unsigned octet)
{
    char c = (char)(unsigned char)octet;

    return pr_buffer_add(ret, &c, 1);
}

static pr_status add_utf8(struct pr_buffer *ret, uint32_t c)
{
    char out[4];
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(unsigned char)(0x80 | (c & 0x3f));
    out[0] = (char)(unsigned char)(lead[size] | c);
    return pr_buffer_add(ret, out, size);
}

/* Units of UTF-16 in, UTF-8 out. */
struct utf16 {
    struct pr_buffer *ret;
    uint32_t high; /* a high surrogate that waits for its low one */
};

static pr_status add_unit(struct utf16 *to, uint32_t unit)
{
    bool is_high = unit >= 0xd800 && unit < 0xdc00;
    bool is_low = unit >= 0xdc00 && unit < 0xe000;

    if (is_low != (to->high != 0))
        return pr_fail(PR_PROTOCOL, "half a surrogate pair in modified UTF-7");
    if (is_high) {
        to->high = unit;
        return PR_OK;
    }
    if (is_low)
        unit = 0x10000 + ((to->high - 0xd800) << 10) + (unit - 0xdc00);
    to->high = 0;
    if (unit < 0x80 && (unit == 0 || is_direct((char)unit)))
        return pr_fail(PR_PROTOCOL, "needless shift in modified UTF-7");
    return add_utf8(to->ret, unit);
}

/* What stands between "&" and "-": base64 of UTF-16BE. */
static pr_status decode_shifted(struct pr_bytes in, struct pr_buffer *ret)
{
    struct utf16 to = {.ret = ret};
    uint32_t bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < in.size; i++) {
        const char *digit = memchr(alphabet, in.data[i], 64);
        if (digit == NULL)
            return pr_fail(PR_PROTOCOL, "bad base64 in modified UTF-7");
        bits = (bits << 6) | (uint32_t)(digit - alphabet);
        count += 6;
        if (count < 16)
            continue;
        count -= 16;
        pr_status status = add_unit(&to, (bits >> count) & 0xffff);
        if (status != PR_OK)
            return status;
        bits &= (1u << count) - 1;
    }
    if (to.high != 0 || count >= 6 || bits != 0)
        return pr_fail(PR_PROTOCOL, "cut character in modified UTF-7");
    return PR_OK;
}

static pr_status decode_into(struct pr_bytes name, struct pr_buffer *ret)
{
    bool after_shift = false;

    for (size_t i = 0; i < name.size; i++) {
        pr_status status;
        if (!is_direct(name.data[i]))
            return pr_fail(PR_PROTOCOL, "a bare octet in modified UTF-7");
        if (name.data[i] != '&') {
            after_shift = false;
            status = add_octet(ret, (unsigned char)name.data[i]);
        } else {
            const char *first = name.data + i + 1;
            const char *end = memchr(first, '-', name.size - i - 1);
            if (end == NULL)
                return pr_fail(PR_PROTOCOL, "an open shift in modified UTF-7");
            size_t size = (size_t)(end - first);
            if (size > 0 && after_shift)
                return pr_fail(PR_PROTOCOL, "needless shift in modified UTF-7");
            after_shift = size > 0;
            status = size == 0
                         ? add_octet(ret, '&')
                         : decode_shifted((struct pr_bytes){first, size}, ret);
            i += size + 1;
        }
        if (status != PR_OK)
            return status;
    }
    return PR_OK;
}

/* Takes back what was added since `size`. */
static void cut_back(struct pr_buffer *buffer, size_t size)
{
    buffer->size = size;
    if (buffer->data != NULL)
        buffer->data[size] = '\0';
}

pr_status imap_utf7_decode(struct pr_bytes name, struct pr_buffer *ret)
{
    size_t before = ret->size;
    pr_status status = decode_into(name, ret);

    if (status != PR_OK)
        cut_back(ret, before);
    return status;
}

/* One character of UTF-8 from name->data, moving past it; 0 if it is none. */
static uint32_t take_utf8(struct pr_bytes *name)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned lead = (unsigned char)name->data[0];
    size_t size = lead < 0x80           ? 1
                  : (lead >> 5) == 0x6  ? 2
                  : (lead >> 4) == 0xe  ? 3
                  : (lead >> 3) == 0x1e ? 4
                                        : 0;

    if (size == 0 || size > name->size)
        return 0;
    uint32_t c = size == 1 ? lead : lead & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        unsigned octet = (unsigned char)name->data[i];
        if ((octet & 0xc0) != 0x80)
            return 0;
        c = (c << 6) | (octet & 0x3f);
    }
    if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    name->data += size;
    name->size -= size;
    return c;
}

/* UTF-16BE to base64, as the characters come. */
struct shift {
    struct pr_buffer *ret;
    uint32_t bits;
    unsigned count;
    bool is_open;
};

static pr_status shift_unit(struct shift *shift, uint32_t unit)
{
    pr_status status = PR_OK;

    if (!shift->is_open)
        status = add_octet(shift->ret, '&');
    shift->is_open = true;
    shift->bits = (shift->bits << 16) | unit;
    shift->count += 16;
    while (status == PR_OK && shift->count >= 6) {
        shift->count -= 6;
        status = add_octet(
            shift->ret,
            (unsigned char)alphabet[(shift->bits >> shift->count) & 0x3f]);
    }
    shift->bits &= (1u << shift->count) - 1;
    return status;
}

static pr_status shift_close(struct shift *shift)
{
    pr_status status = PR_OK;

    if (!shift->is_open)
        return PR_OK;
    if (shift->count > 0)
        status = add_octet(
            shift->ret,
            (unsigned char)alphabet[(shift->bits << (6 - shift->count)) & 63]);
    if (status == PR_OK)
        status = add_octet(shift->ret, '-');
    shift->bits = shift->count = 0;
    shift->is_open = false;
    return status;
}

static pr_status encode_character(struct shift *shift, uint32_t c)
{
    if (c < 0x80) {
        pr_status status = shift_close(shift);
        if (status != PR_OK)
            return status;
        return c == '&' ? pr_buffer_add(shift->ret, "&-", 2)
                        : add_octet(shift->ret, c);
    }
    if (c < 0x10000)
        return shift_unit(shift, c);
    pr_status status = shift_unit(shift, 0xd800 + ((c - 0x10000) >> 10));
    if (status != PR_OK)
        return status;
    return shift_unit(shift, 0xdc00 + ((c - 0x10000) & 0x3ff));
}

pr_status imap_utf7_encode(struct pr_bytes name, struct pr_buffer *ret)
{
    struct shift shift = {.ret = ret};
    size_t before = ret->size;
    pr_status status = PR_OK;

    while (name.size > 0 && status == PR_OK) {
        uint32_t c = take_utf8(&name);
        if (c < ' ' || (c >= 0x7f && c < 0xa0))
            status = pr_fail(PR_CONFIG, "a folder's name must be UTF-8 without "
                                        "control characters");
        else
            status = encode_character(&shift, c);
    }
    if (status == PR_OK)
        status = shift_close(&shift);
    if (status != PR_OK)
        cut_back(ret, before);
    return status;
}
