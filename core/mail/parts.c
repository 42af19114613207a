/*
 * The parts of a view, and what is in them.
 *
 * The tree is read, and content decoded, in the pool: both may read a file,
 * load a charset of the C library, or be long work.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include <postrider/fiber.h>

#include "base/memory.h"
#include "mail/archive.h"
#include "mail/decode.h"
#include "mail/magic.h"
#include "mail/spool.h"
#include "mail/view_private.h"

#define PIECE (16 * 1024)

/* ---- The tree ------------------------------------------------------------ */

/* Octets in memory that are read at once, when they are no more: that takes
 * less than the handing over of a job. */
#define SHORT_READING ((uint64_t)16 * 1024)

static pr_status read_by(pr_fiber_fn *job, void *argument,
                         const struct pr_spool *spool, uint64_t octets)
{
    bool is_short =
        octets <= SHORT_READING && pr_spool_memory(spool).data != NULL;

    return is_short ? job(argument) : pr_offload(job, argument);
}

struct tree_job {
    const struct pr_spool *spool;
    struct tree tree; /* of this job: others may read the same */
};

static pr_status read_tree(void *argument)
{
    struct tree_job *job = argument;
    return tree_read(job->spool, &job->tree);
}

/* The first tree that is read stays: others hold parts of it. */
static pr_status make_tree(struct view *view)
{
    struct tree_job job = {.spool = view->spool};
    pr_status status =
        read_by(read_tree, &job, view->spool, pr_spool_size(view->spool));
    if (status != PR_OK)
        return status;
    if (view->tree.text.data == NULL)
        view->tree = job.tree;
    else
        tree_done(&job.tree);
    return PR_OK;
}

static void show_part(const struct tree *tree, size_t index,
                      struct view_part *ret)
{
    const struct tree_part *part = tree_part(tree, index);
    *ret = (struct view_part){
        .path = tree_text(tree, part->path),
        .type = tree_text(tree, part->type),
        .charset = tree_text(tree, part->charset),
        .filename = tree_text(tree, part->filename),
        .disposition = tree_text(tree, part->disposition),
        .content_id = tree_text(tree, part->content_id),
        .size = part->is_multipart ? 0 : part->size,
        .depth = part->depth,
        .is_multipart = part->is_multipart,
    };
}

static pr_status make_parts(struct view *view)
{
    decode_ready();
    if (view->tree.text.data == NULL) {
        pr_status status = make_tree(view);
        if (status != PR_OK)
            return status;
    }
    if (view->parts != NULL) /* by another, while the tree was read */
        return PR_OK;
    size_t count = tree_count(&view->tree);
    struct view_part *parts = pr_arena_array(view->arena, count, sizeof *parts);
    if (parts == NULL)
        return PR_NOMEM;
    for (size_t i = 0; i < count; i++)
        show_part(&view->tree, i, &parts[i]);
    view->parts = parts;
    return PR_OK;
}

pr_status view_parts(struct view *view, const struct view_part **ret_parts,
                     size_t *ret_count)
{
    if (view->parts == NULL) {
        pr_status status = make_parts(view);
        if (status != PR_OK)
            return status;
    }
    *ret_parts = view->parts;
    *ret_count = tree_count(&view->tree);
    return PR_OK;
}

bool view_find_part(const struct view *view, const char *path, size_t *ret)
{
    for (size_t i = 0; i < tree_count(&view->tree); i++)
        if (strcmp(view->parts[i].path, path) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

/* ---- Content that comes by itself ---------------------------------------- */

void view_take_tree(struct view *view, struct tree *tree)
{
    assert(view->parts == NULL && !view->is_told);
    view->tree = *tree;
    view->is_told = true;
    *tree = (struct tree){.parts = {.cap = 0}};
}

/* The last that came, or all of it. */
static const struct part_content *content_of(const struct view *view,
                                             size_t part)
{
    const struct part_content *content = view->contents;
    while (content != NULL && content->part != part)
        content = content->next;
    return content;
}

pr_status view_take_content(struct view *view, size_t part,
                            struct pr_spool *spool, uint64_t most)
{
    const struct part_content *known = content_of(view, part);
    struct part_content *content = NULL;
    if (known == NULL || !known->is_all)
        content = pr_arena_alloc(view->arena, sizeof *content);
    if (content == NULL) {
        spool_free(spool);
        return known != NULL && known->is_all ? PR_OK : PR_NOMEM;
    }
    *content = (struct part_content){
        .next = view->contents,
        .part = part,
        .spool = spool,
        .is_all =
            most == 0 || pr_spool_wire_size(spool) < most ||
            pr_spool_wire_size(spool) == tree_part(&view->tree, part)->size,
    };
    view->contents = content;
    return PR_OK;
}

bool view_has_content(const struct view *view, size_t part, uint64_t octets)
{
    const struct part_content *content = content_of(view, part);
    return !view->is_told ||
           (content != NULL &&
            (content->is_all ||
             (octets != 0 && pr_spool_wire_size(content->spool) >= octets)));
}

void contents_done(struct part_content *contents)
{
    for (; contents != NULL; contents = contents->next)
        spool_free(contents->spool);
}

/* ---- Content ------------------------------------------------------------- */

struct job {
    const struct pr_spool *spool;
    uint64_t begin, end; /* in the spool */
    const struct tree_part *part;
    const char *charset;     /* NULL: octets, not text */
    struct decoder *decoder; /* made if there is a charset */
    GMimeFilter *filter;     /* NULL: not encoded */
    struct pr_buffer *buffer;
    view_taken *take; /* NULL: into the buffer */
    void *user;
    pr_status (*then)(struct job *job); /* when all is read; NULL: nothing */
};

static bool is_full(const struct job *job)
{
    return job->take == NULL && job->buffer->size >= job->buffer->cap;
}

static pr_status add_octets(struct job *job, struct pr_bytes octets)
{
    struct pr_buffer *buffer = job->buffer;
    if (octets.size == 0 || is_full(job))
        return PR_OK;
    if (job->take != NULL)
        return job->take(job->user, octets);
    if (job->decoder != NULL)
        return decoder_add(job->decoder, octets, buffer);
    if (octets.size > buffer->cap - buffer->size)
        octets.size = buffer->cap - buffer->size;
    return pr_buffer_add(buffer, octets.data, octets.size);
}

static pr_status add_encoded(struct job *job, char *data, size_t size,
                             bool is_last)
{
    char *out = data;
    size_t out_size = size, prespace = 0;
    if (job->filter != NULL && !is_last)
        g_mime_filter_filter(job->filter, data, size, 0, &out, &out_size,
                             &prespace);
    else if (job->filter != NULL)
        g_mime_filter_complete(job->filter, data, size, 0, &out, &out_size,
                               &prespace);
    return add_octets(job, (struct pr_bytes){out, out_size});
}

/* Some programs leave out the padding of base64; too much of it does no harm.
 */
static pr_status add_last(struct job *job, char *piece)
{
    bool is_base64 = job->part->encoding == GMIME_CONTENT_ENCODING_BASE64;
    memcpy(piece, "==", 2);
    return add_encoded(job, piece, is_base64 ? 2 : 0, true);
}

static pr_status read_pieces(struct job *job, char *piece)
{
    uint64_t at = job->begin;
    pr_status status = PR_OK;
    while (status == PR_OK && at < job->end && !is_full(job)) {
        uint64_t left = job->end - at;
        size_t got = 0;
        status = pr_spool_read(job->spool, at, piece,
                               left < PIECE ? (size_t)left : PIECE, &got);
        if (status == PR_OK && got == 0)
            break;
        at += got;
        if (status == PR_OK)
            status = add_encoded(job, piece, got, false);
    }
    if (status == PR_OK)
        status = add_last(job, piece);
    if (status == PR_OK && job->decoder != NULL && !is_full(job))
        status = decoder_end(job->decoder, job->buffer);
    return status;
}

static bool is_encoded(const struct tree_part *part)
{
    return part->encoding == GMIME_CONTENT_ENCODING_BASE64 ||
           part->encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE ||
           part->encoding == GMIME_CONTENT_ENCODING_UUENCODE;
}

/* Offloaded, but for short ones. */
static pr_status read_content(void *argument)
{
    struct job *job = argument;
    char *piece = memory_alloc(PIECE);
    pr_status status = PR_OK;

    if (piece == NULL)
        return pr_fail(PR_NOMEM, "out of memory for a part");
    if (job->charset != NULL)
        status = decoder_new(job->charset, &job->decoder);
    if (is_encoded(job->part) && !job->part->is_multipart)
        job->filter = g_mime_filter_basic_new(
            (GMimeContentEncoding)job->part->encoding, FALSE);
    if (status == PR_OK)
        status = read_pieces(job, piece);
    if (status == PR_OK && job->then != NULL)
        status = job->then(job);
    if (job->filter != NULL)
        g_object_unref(job->filter);
    decoder_free(job->decoder);
    memory_free(piece);
    return status;
}

static pr_status find_part(struct view *view, size_t part, struct job *ret,
                           struct pr_buffer *buffer)
{
    if (view->parts == NULL) {
        pr_status status = make_parts(view);
        if (status != PR_OK)
            return status;
    }
    if (part >= tree_count(&view->tree))
        return pr_fail(PR_GONE, "the message has no part %zu", part + 1);
    const struct tree_part *found = tree_part(&view->tree, part);
    *ret = (struct job){.spool = view->spool,
                        .begin = found->begin,
                        .end = found->end,
                        .part = found,
                        .buffer = buffer};
    if (!view->is_told)
        return PR_OK;
    const struct part_content *content = content_of(view, part);
    if (content == NULL)
        return pr_fail(PR_GONE, "part %zu of the message is not here",
                       part + 1);
    ret->spool = content->spool;
    ret->end = pr_spool_size(content->spool);
    return PR_OK;
}

pr_status view_part_octets(struct view *view, size_t part,
                           struct pr_buffer *buffer)
{
    struct job job = {0};
    pr_status status = find_part(view, part, &job, buffer);
    return status != PR_OK
               ? status
               : read_by(read_content, &job, job.spool, job.end - job.begin);
}

pr_status view_part_text(struct view *view, size_t part,
                         struct pr_buffer *buffer)
{
    struct job job = {0};
    pr_status status = find_part(view, part, &job, buffer);
    if (status != PR_OK)
        return status;
    assert(job.part != NULL);
    job.charset = tree_text(&view->tree, job.part->charset);
    return read_by(read_content, &job, job.spool, job.end - job.begin);
}

pr_status view_part_each(struct view *view, size_t part, view_taken *take,
                         void *user)
{
    struct job job = {0};
    pr_status status = find_part(view, part, &job, NULL);
    if (status != PR_OK)
        return status;
    job.take = take;
    job.user = user;
    return pr_offload(read_content, &job);
}

/* ---- What it is ---------------------------------------------------------- */

/* libmagic looks no further. */
#define TYPE_OCTETS (256 * 1024)

static pr_status tell_type(struct job *job)
{
    return magic_type(
        (struct pr_bytes){pr_buffer_text(job->buffer), job->buffer->size},
        job->user);
}

pr_status view_part_true_type(struct view *view, size_t part,
                              struct pr_buffer *ret)
{
    struct pr_buffer octets = {.cap = TYPE_OCTETS};
    struct job job = {0};
    pr_status status = find_part(view, part, &job, &octets);
    if (status != PR_OK)
        return status;
    if (job.part->is_multipart)
        return pr_buffer_add_text(ret, tree_text(&view->tree, job.part->type));
    job.then = tell_type;
    job.user = ret;
    status = pr_offload(read_content, &job);
    pr_buffer_done(&octets);
    return status;
}

static pr_status take_archive(void *user, struct pr_bytes octets)
{
    return archive_add(user, octets);
}

static pr_status end_archive(struct job *job)
{
    return archive_end(job->user);
}

pr_status view_part_archive(struct view *view, size_t part,
                            bool *ret_is_archive, struct pr_buffer *ret_names)
{
    struct archive archive;
    struct job job = {0};
    pr_status status = find_part(view, part, &job, NULL);
    if (status != PR_OK)
        return status;
    archive_init(&archive, ret_names);
    job.take = take_archive;
    job.then = end_archive;
    job.user = &archive;
    if (!job.part->is_multipart)
        status = pr_offload(read_content, &job);
    *ret_is_archive = archive.is_archive;
    archive_done(&archive);
    return status;
}
