/*
 * The ldap plugin: what its files share.
 */
#ifndef LDAP_LDAP_PLUGIN_H
#define LDAP_LDAP_PLUGIN_H

#include <ldap.h>

#include <postrider/library.h>
#include <postrider/plugin.h>

/* Found in libldap or what it is linked with (liblber). */
/* clang-format off */
#define LDAP_FUNCTIONS(each) \
    each(ldap_, err2string) each(ldap_, first_attribute) each(ldap_, get_dn) \
    each(ldap_, get_option) each(ldap_, get_values_len) \
    each(ldap_, initialize) each(ldap_, is_ldap_url) each(ldap_, memfree) \
    each(ldap_, msgfree) each(ldap_, msgtype) each(ldap_, next_attribute) \
    each(ldap_, parse_result) each(ldap_, result) each(ldap_, sasl_bind_s) \
    each(ldap_, search_ext) each(ldap_, set_option) each(ldap_, start_tls_s) \
    each(ldap_, unbind_ext_s) each(ldap_, value_free_len) \
    each(, ber_free) each(, ber_sockbuf_ctrl)

/* clang-format on */

extern struct libldap {
    LDAP_FUNCTIONS(PR_LIBRARY_FUNCTION)
} libldap;

/* Before any of them is called. Blocks the first time. */
PR_CHECKED pr_status libldap_link(void);

struct ldap_options {
    struct pr_service_settings settings;
    const char *url;
    const char *bind_dn;
    const struct pr_secret *password;
    const char *base;
    bool starttls;
    bool insecure;
    const char *ca_file;
};

/* Options of ldap.lookup. */
struct ldap_search {
    const char *base;
    const char *filter;
    const char *const *values;
    const char *const *attributes;
    unsigned scope; /* index of ldap_scopes */
    int64_t limit;
};

extern const char *const ldap_scopes[]; /* base one sub */

/* Puts a value, escaped (RFC 4515, 3), in the place of each "%s" of a filter;
 * "%%" is a percent sign. PR_CONFIG if there are more or fewer values. */
PR_CHECKED pr_status ldap_fill_filter(const char *filter,
                                      const char *const *values,
                                      struct pr_buffer *ret);

/* A connection that is bound: one of those that lie idle in *state, or a new
 * one. *ret_is_new: it was made now. Waits. */
PR_CHECKED pr_status link_take(struct pr_service *service, pr_time deadline,
                               bool allow_idle, LDAP **ret, bool *ret_is_new);
/* Keeps it for later, or closes it when `is_good` is false. */
void link_put(struct pr_service *service, LDAP *ld, bool is_good);
void link_close_all(struct pr_service *service);
/* The words of a failure of libldap, and its status. */
pr_status link_fail(LDAP *ld, int error, const char *what);

#endif
