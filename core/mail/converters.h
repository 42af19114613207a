/*
 * Conversions from charsets to UTF-8 (iconv), kept for the next that reads the
 * same charset.
 */
#ifndef MAIL_CONVERTERS_H
#define MAIL_CONVERTERS_H

#include <iconv.h>

/* Octets of a charset's name, with the NUL at its end. */
#define CHARSET_SIZE 41

/* (iconv_t)-1: nobody knows `charset`, which is shorter than CHARSET_SIZE.
 * converter_give takes it back. Any thread. */
iconv_t converter_take(const char *charset);
void converter_give(const char *charset, iconv_t converter);
/* Closes those that are kept. */
void converters_close(void);

#endif
