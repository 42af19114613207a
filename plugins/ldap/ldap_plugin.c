/*
 * The ldap plugin: lookups in a directory (RFC 4511), by OpenLDAP's library.
 */
#include "config.h"

#include "ldap_plugin.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

const char *const ldap_scopes[] = {"base", "one", "sub", NULL};

static const struct pr_option options[] = {
    {.name = "url",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct ldap_options, url),
     .fallback = "ldap://localhost",
     .help = "ldap://HOST, ldaps://HOST or ldapi://%2Fpath%2Fof%2Fsocket",
     .positional = true},
    {.name = "bind_dn",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct ldap_options, bind_dn),
     .help = "who logs in; default: nobody (anonymous)"},
    {.name = "password",
     .kind = PR_OPTION_SECRET,
     .offset = offsetof(struct ldap_options, password),
     .help = "where the password of bind_dn comes from"},
    {.name = "base",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct ldap_options, base),
     .help = "where a lookup begins that does not say"},
    {.name = "starttls",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct ldap_options, starttls),
     .fallback = "false",
     .help = "protect an ldap:// line with TLS"},
    {.name = "insecure",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct ldap_options, insecure),
     .fallback = "false",
     .help = "let the password go over a clear line"},
    {.name = "ca_file",
     .kind = PR_OPTION_PATH,
     .offset = offsetof(struct ldap_options, ca_file),
     .help = "certificates to trust (PEM); default: the system's"},
    PR_SERVICE_OPTIONS(struct ldap_options, settings, "10s", "4", "5m"),
    {0}};

static const struct pr_option search_options[] = {
    {.name = "base",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct ldap_search, base),
     .help = "where it begins; default: that of the service"},
    {.name = "filter",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct ldap_search, filter),
     .fallback = "(objectClass=*)",
     .help = "which entries (RFC 4515); %s stands for one of values"},
    {.name = "values",
     .kind = PR_OPTION_LIST,
     .offset = offsetof(struct ldap_search, values),
     .help = "a text for each %s, escaped before it is put there"},
    {.name = "attributes",
     .kind = PR_OPTION_LIST,
     .offset = offsetof(struct ldap_search, attributes),
     .help = "what of an entry; default: all"},
    {.name = "scope",
     .kind = PR_OPTION_CHOICE,
     .offset = offsetof(struct ldap_search, scope),
     .fallback = "sub",
     .choices = ldap_scopes,
     .help = "base alone, one level below it, or all below it"},
    {.name = "limit",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct ldap_search, limit),
     .fallback = "100",
     .least = 1,
     .most = 10000,
     .help = "entries at most"},
    {0}};

/* ---- An entry --------------------------------------------------------------
 */

/* The name as the rule wrote it: the directory may spell it otherwise. */
static const char *name_as_asked(const struct ldap_search *search,
                                 const char *name)
{
    for (size_t i = 0;
         search->attributes != NULL && search->attributes[i] != NULL; i++)
        if (strcasecmp(search->attributes[i], name) == 0)
            return search->attributes[i];
    return name;
}

static void add_values(LDAP *ld, LDAPMessage *entry, const char *name,
                       const char *shown, struct pr_reply *reply)
{
    struct berval **values = libldap.get_values_len(ld, entry, name);

    pr_reply_begin(reply, shown);
    for (size_t i = 0; values != NULL && values[i] != NULL; i++)
        pr_reply_text(reply, NULL,
                      (struct pr_bytes){values[i]->bv_val, values[i]->bv_len});
    pr_reply_end(reply);
    libldap.value_free_len(values);
}

static void add_entry(LDAP *ld, LDAPMessage *entry,
                      const struct ldap_search *search, struct pr_reply *reply)
{
    BerElement *at = NULL;
    char *dn = libldap.get_dn(ld, entry);
    char *name = libldap.first_attribute(ld, entry, &at);

    pr_reply_begin(reply, NULL);
    pr_reply_text(reply, "dn", pr_bytes_of(dn));
    while (name != NULL) {
        add_values(ld, entry, name, name_as_asked(search, name), reply);
        libldap.memfree(name);
        name = libldap.next_attribute(ld, entry, at);
    }
    pr_reply_end(reply);
    libldap.ber_free(at, 0);
    libldap.memfree(dn);
}

/* ---- A lookup ---------------------------------------------------------------
 */

/* The next message of the answer; waits. */
static pr_status next_message(LDAP *ld, int id, pr_time deadline,
                              LDAPMessage **ret)
{
    struct timeval none = {0, 0};
    int fd = -1;

    for (;;) {
        int type = libldap.result(ld, id, LDAP_MSG_ONE, &none, ret);
        pr_status status;

        if (type > 0)
            return PR_OK;
        if (type < 0) {
            int error = LDAP_SERVER_DOWN;

            libldap.get_option(ld, LDAP_OPT_RESULT_CODE, &error);
            return link_fail(ld, error, "ldap");
        }
        libldap.get_option(ld, LDAP_OPT_DESC, &fd);
        status = pr_wait_descriptor(fd, true, false, deadline);
        if (status != PR_OK)
            return status == PR_TIMEOUT
                       ? pr_fail(status, "ldap: no answer in time")
                       : status;
    }
}

/* No such base is no entry; a limit leaves what came before it. */
static pr_status take_result(LDAP *ld, LDAPMessage *message)
{
    int code = LDAP_SERVER_DOWN;
    int error =
        libldap.parse_result(ld, message, &code, NULL, NULL, NULL, NULL, 0);

    if (error != LDAP_SUCCESS)
        return link_fail(ld, error, "ldap");
    if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT ||
        code == LDAP_SIZELIMIT_EXCEEDED)
        return PR_OK;
    return link_fail(ld, code, "ldap");
}

static pr_status read_answer(LDAP *ld, int id, const struct ldap_search *search,
                             pr_time deadline, struct pr_reply *reply,
                             bool *ret_has_begun)
{
    for (;;) {
        LDAPMessage *message = NULL;
        pr_status status = next_message(ld, id, deadline, &message);
        int type;

        if (status != PR_OK)
            return status;
        type = libldap.msgtype(message);
        *ret_has_begun = true;
        if (type == LDAP_RES_SEARCH_ENTRY)
            add_entry(ld, message, search, reply);
        else if (type == LDAP_RES_SEARCH_RESULT)
            status = take_result(ld, message);
        libldap.msgfree(message);
        if (type == LDAP_RES_SEARCH_RESULT)
            return status;
    }
}

static pr_status search_on(LDAP *ld, const struct ldap_options *ldap,
                           const struct ldap_search *search, const char *filter,
                           pr_time deadline, struct pr_reply *reply,
                           bool *ret_has_begun)
{
    static const int scopes[] = {LDAP_SCOPE_BASE, LDAP_SCOPE_ONELEVEL,
                                 LDAP_SCOPE_SUBTREE};
    const char *base = search->base != NULL ? search->base : ldap->base;
    int id;
    int error =
        libldap.search_ext(ld, base != NULL ? base : "", scopes[search->scope],
                           filter, (char **)search->attributes, 0, NULL, NULL,
                           NULL, (int)search->limit, &id);

    if (error != LDAP_SUCCESS)
        return link_fail(ld, error, "ldap");
    return read_answer(ld, id, search, deadline, reply, ret_has_begun);
}

/* The server may have closed a connection that lay idle: then once more, on a
 * new one. */
static pr_status lookup(struct pr_service *service,
                        const struct pr_question *question, const char *filter,
                        struct pr_reply *reply)
{
    bool is_new = false, has_begun = false;
    pr_status status = PR_NETWORK;

    for (int i = 0; i < 2 && status == PR_NETWORK && !is_new && !has_begun;
         i++) {
        LDAP *ld;

        status = link_take(service, question->deadline, i == 0, &ld, &is_new);
        if (status != PR_OK)
            return status;
        status = search_on(ld, service->options, question->arguments, filter,
                           question->deadline, reply, &has_begun);
        link_put(service, ld,
                 status == PR_OK || status == PR_REFUSED ||
                     status == PR_CONFIG);
    }
    return status;
}

static pr_status ask(struct pr_service *service,
                     const struct pr_question *question, struct pr_reply *reply)
{
    const struct ldap_search *search = question->arguments;
    struct pr_buffer filter;
    pr_status status =
        ldap_fill_filter(search->filter, search->values, &filter);

    if (status == PR_OK)
        status = lookup(service, question, pr_buffer_text(&filter), reply);
    pr_buffer_done(&filter);
    return status;
}

static pr_status check(struct pr_service *service, pr_time deadline)
{
    LDAP *ld;
    bool is_new;
    pr_status status = link_take(service, deadline, false, &ld, &is_new);

    if (status == PR_OK)
        link_put(service, ld, true);
    return status;
}

static pr_status check_options(const void *set)
{
    const struct ldap_options *ldap = set;
    bool is_plain = strncasecmp(ldap->url, "ldap://", 7) == 0;
    pr_status status = libldap_link();

    if (status != PR_OK)
        return status;
    if (!libldap.is_ldap_url(ldap->url))
        return pr_fail(PR_CONFIG, "url: \"%s\" is none such as ldap://HOST",
                       ldap->url);
    if (ldap->password != NULL && is_plain && !ldap->starttls &&
        !ldap->insecure)
        return pr_fail(PR_CONFIG,
                       "password: would go over a clear line; use ldaps:// or "
                       "starttls = true (or insecure = true)");
    if ((ldap->password == NULL) != (ldap->bind_dn == NULL))
        return pr_fail(PR_CONFIG, "bind_dn and password belong together");
    return PR_OK;
}

static void describe(const void *set, char *name, size_t size)
{
    const struct ldap_options *ldap = set;

    snprintf(name, size, "ldap %s", ldap->url);
}

/* ---- The descriptor
 * ---------------------------------------------------------- */

static const struct pr_verb verbs[] = {
    {.name = "lookup",
     .summary = "list of entries, each with dn and a list for each attribute",
     .options = search_options,
     .options_size = sizeof(struct ldap_search)},
    {0}};

static const struct pr_service_ops ops = {
    .size = sizeof(struct pr_service_ops),
    .verbs = verbs,
    .settings = offsetof(struct ldap_options, settings),
    .ask = ask,
    .check = check,
    .close = link_close_all,
    .describe = describe,
};

static const struct pr_class ldap_class = {
    .size = sizeof(struct pr_class),
    .role = PR_ROLE_SERVICE,
    .name = "ldap",
    .summary = "a directory, for lookups",
    .options = options,
    .options_size = sizeof(struct ldap_options),
    .check_options = check_options,
    .service = &ops,
};

static const struct pr_class *const classes[] = {&ldap_class, NULL};

PR_PLUGIN(ldap) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "ldap",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "look up in directories",
    .classes = classes,
};
