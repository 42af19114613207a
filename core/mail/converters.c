/*
 * Conversions from charsets to UTF-8, kept.
 *
 * The opening of one loads a module of the C library, and the closing unloads
 * it: for a header with an encoded word that costs more than all else that is
 * done to it. So the last few that nobody uses any more stay open.
 */
#include "config.h"

#include "mail/converters.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include <gmime/gmime.h>

/* A mailbox hardly has more charsets at a time. */
#define KEPT 8

static struct {
    pthread_mutex_t mutex;

    struct {
        iconv_t converter;
        char charset[CHARSET_SIZE]; /* "": free */
        uint64_t given;             /* when, in uses */
    } kept[KEPT];

    uint64_t uses;
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Takes a kept one out; (iconv_t)-1: there is none. */
static iconv_t take_kept(const char *charset)
{
    iconv_t found = (iconv_t)-1;

    pthread_mutex_lock(&all.mutex);
    for (size_t i = 0; found == (iconv_t)-1 && i < KEPT; i++)
        if (strcmp(all.kept[i].charset, charset) == 0) {
            found = all.kept[i].converter;
            all.kept[i].charset[0] = '\0';
        }
    pthread_mutex_unlock(&all.mutex);
    return found;
}

iconv_t converter_take(const char *charset)
{
    iconv_t converter = take_kept(charset);

    return converter != (iconv_t)-1 ? converter
                                    : g_mime_iconv_open("utf-8", charset);
}

/* A free place, or that of the one given back longest ago. */
static size_t place_for_one(void)
{
    size_t oldest = 0;

    for (size_t i = 0; i < KEPT; i++) {
        if (all.kept[i].charset[0] == '\0')
            return i;
        if (all.kept[i].given < all.kept[oldest].given)
            oldest = i;
    }
    return oldest;
}

void converter_give(const char *charset, iconv_t converter)
{
    iconv_t replaced = (iconv_t)-1;

    /* To its initial state, whatever was left half read. */
    (void)g_mime_iconv(converter, NULL, NULL, NULL, NULL);
    pthread_mutex_lock(&all.mutex);
    size_t i = place_for_one();
    if (all.kept[i].charset[0] != '\0')
        replaced = all.kept[i].converter;
    all.kept[i].converter = converter;
    all.kept[i].given = ++all.uses;
    memcpy(all.kept[i].charset, charset, strlen(charset) + 1);
    pthread_mutex_unlock(&all.mutex);
    if (replaced != (iconv_t)-1)
        g_mime_iconv_close(replaced);
}

void converters_close(void)
{
    pthread_mutex_lock(&all.mutex);
    for (size_t i = 0; i < KEPT; i++)
        if (all.kept[i].charset[0] != '\0') {
            g_mime_iconv_close(all.kept[i].converter);
            all.kept[i].charset[0] = '\0';
        }
    pthread_mutex_unlock(&all.mutex);
}
