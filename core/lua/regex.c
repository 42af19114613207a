/*
 * Searches by PCRE2, cut into stretches that a clock can end.
 *
 * PCRE2's match limit counts anew from each starting point, so on a long text
 * it bounds nothing: a pattern that fails late at every starting point takes
 * the square of the text's length. Hence the stretches: the offset limit ends a
 * call after so many starting points, and their number follows the clock.
 *
 * The JIT compiler's code needs a stack of its own for deep patterns. Where
 * that is not enough either, the interpreter, whose frames are on the heap,
 * tries again from the same place.
 */
#include <config.h>

#include "lua/regex.h"

#include <string.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/memory.h"
#include "base/text.h"

#define PATTERN_MOST (32 * 1024) /* octets */
#define GROUPS_MOST 200
#define JIT_STACK_FIRST (32 * 1024)
#define JIT_STACK_MOST (4 * 1024 * 1024)
#define HEAP_MOST (32 * 1024) /* KiB, of the interpreter */
/* What one way to be tried costs about, in ns: measured 1 to 14 with the JIT,
 * ten times that without. */
#define WAY_COST 10
#define WAYS_AT_ONCE 20000     /* from a starting point, before the pool */
#define WAYS_LEAST 100000      /* however little time is left */
#define AT_ONCE 1000000u       /* ns before the pool takes over */
#define STRETCH_FIRST 256      /* starting points */
#define STRETCH_SHORT 1000000u /* ns: the next is twice as long */
#define STRETCH_LONG 4000000u  /* ns: the next is half as long */

struct regex {
    pcre2_code *code;
    struct regex_data *data; /* NULL while a search in the pool has it */
    const char **names;      /* of each group; NULL: no group has one */
    size_t groups;
    bool is_anchored;
};

struct regex_data {
    pcre2_match_data *found;
    pcre2_match_context *context;
    pcre2_jit_stack *stack; /* NULL until it is needed */
    size_t stretch;
    int count; /* of the groups that are set */
};

static void *take_memory(size_t size, void *user)
{
    (void)user;
    return memory_alloc(size);
}

static void give_memory(void *memory, void *user)
{
    (void)user;
    memory_free(memory);
}

static pcre2_general_context *general(void)
{
    return pcre2_general_context_create(take_memory, give_memory, NULL);
}

static uint64_t processor_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static pr_status no_memory(void)
{
    return pr_fail(PR_NOMEM, "out of memory for a regular expression");
}

/* ---- Compiling ----------------------------------------------------------- */

static pr_status read_flags(const char *flags, uint32_t *ret)
{
    *ret = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF |
           PCRE2_USE_OFFSET_LIMIT | PCRE2_NEVER_BACKSLASH_C;
    for (; *flags != '\0'; flags++) {
        if (*flags == 'i')
            *ret |= PCRE2_CASELESS;
        else if (*flags == 'm')
            *ret |= PCRE2_MULTILINE;
        else if (*flags == 's')
            *ret |= PCRE2_DOTALL;
        else if (*flags == 'x')
            *ret |= PCRE2_EXTENDED;
        else
            return pr_fail(PR_SCRIPT,
                           "re: there is no flag \"%c\": i, m, s and x are",
                           *flags);
    }
    return PR_OK;
}

static pr_status compile(struct regex *regex, struct pr_bytes pattern,
                         uint32_t options, pcre2_general_context *memory)
{
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    int error = 0;
    size_t place = 0;
    unsigned char words[120];

    if (context == NULL)
        return no_memory();
    pcre2_set_max_pattern_length(context, PATTERN_MOST);
    regex->code = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.size, options,
                                &error, &place, context);
    pcre2_compile_context_free(context);
    if (regex->code == NULL && error == PCRE2_ERROR_HEAP_FAILED)
        return no_memory();
    if (regex->code == NULL) {
        pcre2_get_error_message(error, words, sizeof words);
        return pr_fail(PR_SCRIPT, "re: \"%.80s\": %s (at octet %zu)",
                       pattern.data, (const char *)words, place + 1);
    }
    /* Without it the interpreter does: slower, but right. */
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    return PR_OK;
}

/* PCRE2's table: two octets of number, then the name, each `size` octets. */
static pr_status read_names(struct regex *regex)
{
    uint32_t groups = 0, names = 0, size = 0, options = 0;
    PCRE2_SPTR table = NULL;

    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    pcre2_pattern_info(regex->code, PCRE2_INFO_NAMECOUNT, &names);
    pcre2_pattern_info(regex->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(regex->code, PCRE2_INFO_NAMETABLE, &table);
    pcre2_pattern_info(regex->code, PCRE2_INFO_ALLOPTIONS, &options);
    regex->groups = groups;
    regex->is_anchored = (options & PCRE2_ANCHORED) != 0;
    if (groups > GROUPS_MOST)
        return pr_fail(PR_SCRIPT, "re: more than %d groups", GROUPS_MOST);
    if (names == 0)
        return PR_OK;
    regex->names = memory_zeroed(groups + 1, sizeof *regex->names);
    if (regex->names == NULL)
        return no_memory();
    for (uint32_t i = 0; i < names; i++, table += size)
        regex->names[table[0] << 8 | table[1]] = (const char *)table + 2;
    return PR_OK;
}

static void data_free(struct regex_data *data)
{
    if (data == NULL)
        return;
    pcre2_match_data_free(data->found);
    pcre2_match_context_free(data->context);
    pcre2_jit_stack_free(data->stack);
    memory_free(data);
}

static struct regex_data *data_new(const struct regex *regex)
{
    struct regex_data *data = memory_zeroed(1, sizeof *data);
    pcre2_general_context *memory = general();

    if (data != NULL && memory != NULL) {
        data->found = pcre2_match_data_create_from_pattern(regex->code, memory);
        data->context = pcre2_match_context_create(memory);
    }
    pcre2_general_context_free(memory);
    if (data == NULL || data->found == NULL || data->context == NULL) {
        data_free(data);
        (void)no_memory();
        return NULL;
    }
    pcre2_set_heap_limit(data->context, HEAP_MOST);
    return data;
}

pr_status regex_new(struct pr_bytes pattern, const char *flags,
                    struct regex **ret)
{
    uint32_t options = 0;
    pr_status status = read_flags(flags, &options);
    struct regex *regex;
    pcre2_general_context *memory;

    if (status != PR_OK)
        return status;
    regex = memory_zeroed(1, sizeof *regex);
    memory = general();
    if (regex == NULL || memory == NULL)
        status = no_memory();
    else
        status = compile(regex, pattern, options, memory);
    pcre2_general_context_free(memory);
    if (status == PR_OK)
        status = read_names(regex);
    if (status == PR_OK)
        *ret = regex;
    else
        regex_free(regex);
    return status;
}

void regex_free(struct regex *regex)
{
    if (regex == NULL)
        return;
    data_free(regex->data);
    pcre2_code_free(regex->code);
    memory_free(regex->names);
    memory_free(regex);
}

size_t regex_groups(const struct regex *regex)
{
    return regex->groups;
}

const char *regex_group_name(const struct regex *regex, size_t group)
{
    return regex->names != NULL ? regex->names[group] : NULL;
}

bool regex_has_names(const struct regex *regex)
{
    return regex->names != NULL;
}

/* ---- Searching ----------------------------------------------------------- */

static pr_status gave_up(const struct regex_search *search)
{
    return pr_fail(PR_LIMIT,
                   "re: gave up on a text of %zu octets: the pattern tries too "
                   "many ways to match it; make it simpler or the text shorter",
                   search->text.size);
}

/* A stack for the compiled code that grows; false: there is no memory. */
static bool give_stack(struct regex_data *data)
{
    pcre2_general_context *memory;

    if (data->stack != NULL)
        return true;
    memory = general();
    if (memory != NULL)
        data->stack =
            pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, memory);
    pcre2_general_context_free(memory);
    if (data->stack == NULL)
        return false;
    pcre2_jit_stack_assign(data->context, NULL, data->stack);
    return true;
}

/* One call of PCRE2 from search->at on, over the stretch. */
static int match(struct regex_search *search, uint32_t how, size_t last)
{
    struct regex_data *data = search->data;

    if (search->is_not_empty && search->at == search->from)
        how |= PCRE2_NOTEMPTY_ATSTART;
    pcre2_set_offset_limit(data->context, last);
    return pcre2_match(search->regex->code, (PCRE2_SPTR)search->text.data,
                       search->text.size, search->at, how, data->found,
                       data->context);
}

static uint64_t left_of(const struct regex_search *search)
{
    return search->budget > search->spent ? search->budget - search->spent : 0;
}

static void set_ways(const struct regex_search *search, bool is_at_once)
{
    uint64_t ways = is_at_once ? WAYS_AT_ONCE : left_of(search) / WAY_COST;

    if (!is_at_once && ways < WAYS_LEAST)
        ways = WAYS_LEAST;
    pcre2_set_match_limit(search->data->context,
                          ways < UINT32_MAX ? (uint32_t)ways : UINT32_MAX);
}

/* The stretch again, with more stack if that is what was missing. */
static int match_in_pool(struct regex_search *search, size_t last)
{
    int result = match(search, 0, last);

    if (result == PCRE2_ERROR_JIT_STACKLIMIT && give_stack(search->data))
        result = match(search, 0, last);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
        pcre2_set_match_limit(search->data->context, WAYS_LEAST);
        result = match(search, PCRE2_NO_JIT, last);
    }
    return result;
}

/* Is a starting point there, and not the middle of a character? */
static size_t next_start(const struct regex_search *search, size_t at)
{
    while (at < search->text.size && text_goes_on(search->text.data[at]))
        at++;
    return at;
}

static pr_status take_result(struct regex_search *search, int result,
                             size_t last)
{
    const size_t *place = pcre2_get_ovector_pointer(search->data->found);
    unsigned char words[120];

    if (result >= 0) {
        search->data->count = result;
        /* What a lookahead with \K could make of it. */
        return place[0] <= place[1] && place[0] >= search->from
                   ? PR_OK
                   : pr_fail(PR_LIMIT, "re: a match that ends before it begins "
                                       "is of no use");
    }
    if (result == PCRE2_ERROR_NOMATCH) {
        search->at = next_start(search, last + 1);
        return last >= search->text.size || search->regex->is_anchored
                   ? PR_EOF
                   : PR_BUSY;
    }
    if (result == PCRE2_ERROR_NOMEMORY)
        return no_memory();
    if (result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_HEAPLIMIT ||
        result == PCRE2_ERROR_DEPTHLIMIT ||
        result == PCRE2_ERROR_JIT_STACKLIMIT)
        return gave_up(search);
    pcre2_get_error_message(result, words, sizeof words);
    return pr_fail(PR_LIMIT, "re: %s", (const char *)words);
}

/* One stretch; PR_BUSY: there are more. */
static pr_status search_stretch(struct regex_search *search, bool is_at_once)
{
    struct regex_data *data = search->data;
    size_t left = search->text.size - search->at;
    size_t last =
        data->stretch < left ? search->at + data->stretch : search->text.size;
    uint64_t begun = processor_time(), took;
    int result;

    set_ways(search, is_at_once);
    result = is_at_once ? match(search, 0, last) : match_in_pool(search, last);
    took = processor_time() - begun;
    search->spent += took;
    if (took < STRETCH_SHORT && data->stretch < search->text.size)
        data->stretch *= 2;
    else if (took > STRETCH_LONG && data->stretch > 1)
        data->stretch /= 2;
    if (is_at_once && (result == PCRE2_ERROR_MATCHLIMIT ||
                       result == PCRE2_ERROR_JIT_STACKLIMIT))
        return PR_BUSY; /* the same stretch, with time */
    return take_result(search, result, last);
}

pr_status regex_begin(struct regex_search *search)
{
    struct regex *regex = search->regex;
    pr_status status = PR_BUSY;

    search->data = regex->data != NULL ? regex->data : data_new(regex);
    regex->data = NULL;
    if (search->data == NULL)
        return PR_NOMEM;
    search->at = search->from;
    search->data->stretch = STRETCH_FIRST;
    while (status == PR_BUSY && search->spent < AT_ONCE) {
        size_t at = search->at;

        status = search_stretch(search, true);
        if (status == PR_BUSY && search->at == at)
            break;
    }
    return status;
}

pr_status regex_go_on(struct regex_search *search)
{
    pr_status status = PR_BUSY;

    while (status == PR_BUSY) {
        if (left_of(search) == 0)
            return gave_up(search);
        status = search_stretch(search, false);
    }
    return status;
}

void regex_end(struct regex_search *search)
{
    struct regex *regex = search->regex;

    if (search->data == NULL)
        return;
    data_free(regex->data);
    regex->data = search->data;
    search->data = NULL;
}

bool regex_group(const struct regex *regex, size_t group, size_t *ret_begin,
                 size_t *ret_end)
{
    const size_t *places = pcre2_get_ovector_pointer(regex->data->found);

    if (group >= (size_t)regex->data->count || places[2 * group] == PCRE2_UNSET)
        return false;
    *ret_begin = places[2 * group];
    *ret_end = places[2 * group + 1];
    return true;
}
