/*
 * Small work on text: escaping, near names, numbers with units.
 *
 * Pure functions: nothing waits, nothing is kept.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <postrider/buffer.h>

/* Copies `bytes` to `out` (size octets, NUL-terminated) so that it is one line
 * of valid UTF-8 without control characters: others become \xNN. What does not
 * fit is cut and ends in "...". Returns out. */
char *text_printable(struct pr_bytes bytes, char *out, size_t size);
/* The same of the next character alone, of `bytes` that are not empty. Returns
 * how many octets of them it took. */
#define TEXT_PIECE_SIZE 5
size_t text_printable_piece(struct pr_bytes bytes, char piece[TEXT_PIECE_SIZE]);

/* The entry of `names` (ended by NULL) nearest to `name` by edits, NULL if none
 * is near enough to be a slip (at most a third of its length, at least 1). */
const char *text_nearest(const char *name, const char *const *names);

/* "4096", "50K", "50M", "2G" (powers of 1024) to octets. PR_CONFIG with words.
 */
PR_CHECKED pr_status text_to_size(const char *text, uint64_t *ret_octets);
/* "90" (seconds), "500ms", "30s", "10m", "2h", "30d", "1w" to milliseconds. */
PR_CHECKED pr_status text_to_duration(const char *text, uint64_t *ret_ms);

/* "17.4 MB": octets for people, powers of 1000. Into out, returned. */
char *text_octets(uint64_t octets, char *out, size_t size);

/* A JSON string with its quotes; octets that are not UTF-8 become U+FFFD. */
PR_CHECKED pr_status text_add_json(struct pr_buffer *buffer,
                                   struct pr_bytes bytes);

/* Does `text` match the glob `pattern` ("*", "?")? Case counts. */
bool text_matches(const char *pattern, const char *text);

/* Is it well-formed UTF-8 (RFC 3629, no surrogates, shortest form)? */
bool text_is_utf8(struct pr_bytes bytes);

/* Is it in a character of UTF-8, and not the first octet of one? */
static inline bool text_goes_on(char octet)
{
    return ((unsigned char)octet & 0xc0) == 0x80;
}

/* Octets of the `size` of a UTF-8 text that are left when at most `most` are
 * kept and no character is cut in two. */
size_t text_cut(const char *text, size_t size, size_t most);

#endif
