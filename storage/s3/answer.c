/* One pass by Expat over a body that is whole. The path of the open elements names what a text is:
 * "ListBucketResult/Contents/Key". Namespaces are left away, for servers disagree on S3's.
 *
 * The first thing wrong stops the parser and is what the caller hears of. Expat may still call a
 * handler or two after that: they do nothing.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/number.h"
#include "common/utf8.h"
#include "storage/backend.h"
#include "storage/s3/answer.h"

#define MAX_DEPTH 16
#define MAX_PATH ((size_t)256)
#define MAX_TEXT                                                                                   \
    ((size_t)8192)         /* a key of 1024 bytes, each escaped, or a token of the server's        \
                            */
#define NAMESPACE_END '\n' /* stands in no name */

_Static_assert(GM_S3_ANSWER_MAX <= INT_MAX, "Expat takes an int");

enum field {
    CODE,
    MESSAGE,
    REGION,
    TRUNCATED,
    NEXT,
    NEXT_UPLOAD,
    ENCODING,
    KEY,
    SIZE,
    UPLOAD_ID,
    ETAG,
};

struct row {
    enum gm_s3_kind kind;
    enum field field;
    const char *path;
};

static const struct row rows[] = {
    {GM_S3_ERROR, CODE, "Error/Code"},
    {GM_S3_ERROR, MESSAGE, "Error/Message"},
    {GM_S3_ERROR, REGION, "Error/Region"},
    {GM_S3_LIST, TRUNCATED, "ListBucketResult/IsTruncated"},
    {GM_S3_LIST, NEXT, "ListBucketResult/NextContinuationToken"},
    {GM_S3_LIST, ENCODING, "ListBucketResult/EncodingType"},
    {GM_S3_LIST, KEY, "ListBucketResult/Contents/Key"},
    {GM_S3_LIST, SIZE, "ListBucketResult/Contents/Size"},
    {GM_S3_INITIATE, UPLOAD_ID, "InitiateMultipartUploadResult/UploadId"},
    {GM_S3_COMPLETE, ETAG, "CompleteMultipartUploadResult/ETag"},
    {GM_S3_COPY, ETAG, "CopyObjectResult/ETag"},
    {GM_S3_COPY, ETAG, "CopyPartResult/ETag"},
    {GM_S3_UPLOADS, TRUNCATED, "ListMultipartUploadsResult/IsTruncated"},
    {GM_S3_UPLOADS, NEXT, "ListMultipartUploadsResult/NextKeyMarker"},
    {GM_S3_UPLOADS, NEXT_UPLOAD, "ListMultipartUploadsResult/NextUploadIdMarker"},
    {GM_S3_UPLOADS, ENCODING, "ListMultipartUploadsResult/EncodingType"},
    {GM_S3_UPLOADS, KEY, "ListMultipartUploadsResult/Upload/Key"},
    {GM_S3_UPLOADS, UPLOAD_ID, "ListMultipartUploadsResult/Upload/UploadId"},
};

/* What has more than one of each. */
static const struct {
    enum gm_s3_kind kind;
    const char *path;
    unsigned fields; /* bits of enum field: each of them has all of these */
    const char *lacks;
} lists[] = {
    {GM_S3_LIST, "ListBucketResult/Contents", 1u << KEY | 1u << SIZE,
     "an object has no key, or no size"},
    {GM_S3_UPLOADS, "ListMultipartUploadsResult/Upload", 1u << KEY | 1u << UPLOAD_ID,
     "an upload has no key, or no id"},
};

struct reader {
    XML_Parser parser; /* owned */
    enum gm_s3_kind kind;
    struct gm_s3_answer answer; /* owned until it is handed over */
    size_t object_cap;
    bool truncated, encoded;
    unsigned seen; /* bits of enum field; of an object within it */
    size_t depth;
    size_t ends[MAX_DEPTH]; /* sizes of the path before each open element */
    char path[MAX_PATH];
    size_t path_size;
    const struct row *row; /* of the element whose text is taken; NULL: none */
    struct gm_buf text;
    int rc; /* below 0: why the parser was stopped */
    struct gm_err *err;
};

static void stop(struct reader *r, const char *why)
{
    if (r->rc == 0) {
        r->rc = gm_err_set(r->err, GM_E_STORE, 0, "the store's answer could not be read: %s", why);
    }
    XML_StopParser(r->parser, XML_FALSE);
}

static void stop_with(struct reader *r, int rc)
{
    r->rc = r->rc == 0 ? rc : r->rc;
    XML_StopParser(r->parser, XML_FALSE);
}

static bool is_root_of(enum gm_s3_kind kind, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].kind == kind && strncmp(rows[i].path, name, size) == 0 &&
            rows[i].path[size] == '/') {
            return true;
        }
    }
    return false;
}

static void begin_root(struct reader *r, const char *name)
{
    if (strcmp(name, "Error") == 0) {
        r->answer.is_error = true;
        r->kind = GM_S3_ERROR;
    } else if (!is_root_of(r->kind, name)) {
        stop(r, "it is another document");
    }
}

static void XMLCALL on_start(void *arg, const XML_Char *full, const XML_Char **attributes)
{
    struct reader *r = arg;
    const char *end = strrchr(full, NAMESPACE_END);
    const char *name = end == NULL ? full : end + 1;
    size_t size = strlen(name);

    (void)attributes;
    if (r->rc < 0) {
        return;
    }
    if (r->row != NULL) {
        stop(r, "there are elements where a text should be");
        return;
    }
    if (r->depth == MAX_DEPTH || size + 2 > MAX_PATH - r->path_size) {
        stop(r, "it is nested too deep");
        return;
    }
    r->ends[r->depth] = r->path_size;
    if (r->depth++ == 0) {
        begin_root(r, name);
    } else {
        r->path[r->path_size++] = '/';
    }
    memcpy(r->path + r->path_size, name, size + 1);
    r->path_size += size;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (lists[i].kind == r->kind && strcmp(lists[i].path, r->path) == 0) {
            r->seen &= ~lists[i].fields;
        }
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].kind == r->kind && strcmp(rows[i].path, r->path) == 0) {
            r->row = &rows[i];
        }
    }
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int size)
{
    struct reader *r = arg;

    if (r->rc < 0 || r->row == NULL) {
        return;
    }
    if ((size_t)size > MAX_TEXT - r->text.size) {
        stop(r, "a text is too long");
        return;
    }
    gm_buf_add(&r->text, text, (size_t)size);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    stop(arg, "it has a document type");
}

/* The object whose element is open. */
static struct gm_s3_object *current_object(struct reader *r)
{
    struct gm_s3_answer *answer = &r->answer;
    unsigned fields =
        r->kind == GM_S3_UPLOADS ? 1u << KEY | 1u << UPLOAD_ID : 1u << KEY | 1u << SIZE;
    int rc;

    if ((r->seen & fields) != 0) {
        return &answer->objects[answer->object_count - 1];
    }
    if (answer->object_count == GM_S3_LIST_MAX) {
        stop(r, "it lists more than was asked for");
        return NULL;
    }
    rc = gm_array_reserve(&answer->objects, answer->object_count, 1, &r->object_cap,
                          sizeof(*answer->objects), r->err);
    if (rc < 0) {
        stop_with(r, rc);
        return NULL;
    }
    answer->objects[answer->object_count] = (struct gm_s3_object){.key = NULL};
    return &answer->objects[answer->object_count++];
}

static void take_text(struct reader *r, char **out)
{
    char *copy = strdup((const char *)r->text.data);

    if (copy == NULL) {
        stop_with(r, gm_err_nomem(r->err));
        return;
    }
    *out = copy;
}

static void take_key(struct reader *r)
{
    struct gm_s3_object *object = current_object(r);

    if (r->text.size == 0) {
        stop(r, "a key is empty");
    } else if (object != NULL) {
        take_text(r, &object->key);
    }
}

static void take_size(struct reader *r)
{
    struct gm_s3_object *object = current_object(r);
    int64_t size;

    if (object == NULL) {
        return;
    }
    if (!gm_number_int((const char *)r->text.data, &size) || size < 0) {
        stop(r, "an object's size is none");
        return;
    }
    object->size = (uint64_t)size;
}

/* Of the upload that began, or of one in a list. */
static void take_upload_id(struct reader *r)
{
    struct gm_s3_object *object;

    if (r->kind != GM_S3_UPLOADS) {
        take_text(r, &r->answer.upload_id);
        return;
    }
    object = current_object(r);
    if (r->text.size == 0) {
        stop(r, "an upload's id is empty");
    } else if (object != NULL) {
        take_text(r, &object->upload_id);
    }
}

/* It will be sent back in headers. */
static void take_etag(struct reader *r)
{
    for (size_t i = 0; i < r->text.size; i++) {
        if (r->text.data[i] <= ' ' || r->text.data[i] > '~') {
            stop(r, "an ETag is none");
            return;
        }
    }
    take_text(r, &r->answer.etag);
}

static void take_truncated(struct reader *r)
{
    const char *text = (const char *)r->text.data;

    r->truncated = strcmp(text, "true") == 0;
    if (!r->truncated && strcmp(text, "false") != 0) {
        stop(r, "it does not say whether the list goes on");
    }
}

static void take_encoding(struct reader *r)
{
    r->encoded = strcmp((const char *)r->text.data, "url") == 0;
    if (!r->encoded && r->text.size > 0) {
        stop(r, "its keys are encoded in an unknown way");
    }
}

static void take_code(struct reader *r)
{
    const char *code = (const char *)r->text.data;
    size_t size = strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.");

    if (code[size] != '\0' || size >= sizeof(r->answer.code)) {
        stop(r, "an error's code is none");
        return;
    }
    memcpy(r->answer.code, code, size + 1);
}

static void take(struct reader *r, enum field field)
{
    switch (field) {
    case CODE:
        take_code(r);
        break;
    case MESSAGE:
        gm_ascii_copy(r->answer.message, sizeof(r->answer.message), (const char *)r->text.data);
        break;
    case REGION:
        gm_ascii_copy(r->answer.region, sizeof(r->answer.region), (const char *)r->text.data);
        break;
    case TRUNCATED:
        take_truncated(r);
        break;
    case NEXT:
        take_text(r, &r->answer.next);
        break;
    case NEXT_UPLOAD:
        take_text(r, &r->answer.next_upload);
        break;
    case ENCODING:
        take_encoding(r);
        break;
    case KEY:
        take_key(r);
        break;
    case SIZE:
        take_size(r);
        break;
    case UPLOAD_ID:
        take_upload_id(r);
        break;
    case ETAG:
        take_etag(r);
        break;
    }
}

static void end_field(struct reader *r)
{
    unsigned bit = 1u << r->row->field;

    gm_buf_add(&r->text, "", 0); /* an empty text is one, too */
    if (r->text.failed) {
        stop_with(r, gm_err_nomem(r->err));
    } else if ((r->seen & bit) != 0) {
        stop(r, "something is there twice");
    } else {
        take(r, r->row->field);
        r->seen |= bit;
    }
    r->text.size = 0;
    r->row = NULL;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct reader *r = arg;

    (void)name;
    if (r->rc < 0) {
        return;
    }
    if (r->row != NULL) {
        end_field(r);
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (lists[i].kind == r->kind && strcmp(lists[i].path, r->path) == 0 &&
            (r->seen & lists[i].fields) != lists[i].fields) {
            stop(r, lists[i].lacks);
        }
    }
    r->path_size = r->ends[--r->depth];
    r->path[r->path_size] = '\0';
}

/* '+' stands for a space: a plus of the key's own is always "%2B". */
static int decode_key(char **key, struct gm_err *err)
{
    char *plain = NULL;
    int rc;

    for (char *c = *key; *c != '\0'; c++) {
        *c = *c == '+' ? ' ' : *c;
    }
    rc = gm_url_decode(*key, strlen(*key), &plain, err);
    if (rc == 0) {
        free(*key);
        *key = plain;
    }
    return rc == -GM_E_INVAL
               ? gm_err_set(err, GM_E_STORE, 0,
                            "the store's answer could not be read: a key is not encoded as it says")
               : rc;
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

static void drop(char **text)
{
    free(*text);
    *text = NULL;
}

/* What is missing in an answer that is well-formed; NULL: nothing. */
static const char *missing(const struct reader *r)
{
    const struct gm_s3_answer *answer = &r->answer;

    switch (r->kind) {
    case GM_S3_ERROR:
        return answer->code[0] == '\0' ? "an error has no code" : NULL;
    case GM_S3_LIST:
        if ((r->seen & 1u << TRUNCATED) == 0) {
            return "it does not say whether the list goes on";
        }
        return r->truncated && is_empty(answer->next) ? "it does not say where the list goes on"
                                                      : NULL;
    case GM_S3_INITIATE:
        return is_empty(answer->upload_id) ? "an upload has no id" : NULL;
    case GM_S3_COPY:
        return is_empty(answer->etag) ? "a copy has no ETag" : NULL;
    case GM_S3_COMPLETE:
    case GM_S3_UPLOADS:
        break;
    }
    return NULL;
}

static int settle(struct reader *r)
{
    struct gm_s3_answer *answer = &r->answer;
    const char *lacks = missing(r);
    int rc = 0;

    if (lacks != NULL) {
        return gm_err_set(r->err, GM_E_STORE, 0, "the store's answer could not be read: %s", lacks);
    }
    if (!r->truncated || is_empty(answer->next)) { /* some servers send an empty one */
        drop(&answer->next);
    }
    if (answer->next == NULL || is_empty(answer->next_upload)) {
        drop(&answer->next_upload);
    }
    if (is_empty(answer->etag)) {
        drop(&answer->etag);
    }
    for (size_t i = 0; rc == 0 && r->encoded && i < answer->object_count; i++) {
        rc = decode_key(&answer->objects[i].key, r->err);
    }
    if (rc == 0 && r->encoded && r->kind == GM_S3_UPLOADS && answer->next != NULL) {
        rc = decode_key(&answer->next, r->err);
    }
    return rc;
}

static int parse(struct reader *r, const char *body, size_t size)
{
    r->parser = XML_ParserCreateNS("UTF-8", NAMESPACE_END); /* whatever the document says */
    if (r->parser == NULL) {
        return gm_err_nomem(r->err);
    }
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    if (XML_Parse(r->parser, body, (int)size, XML_TRUE) != XML_STATUS_OK && r->rc == 0) {
        enum XML_Error why = XML_GetErrorCode(r->parser);

        r->rc = why == XML_ERROR_NO_MEMORY
                    ? gm_err_nomem(r->err)
                    : gm_err_set(r->err, GM_E_STORE, 0,
                                 "the store's answer could not be read: %s (line %lu)",
                                 XML_ErrorString(why),
                                 (unsigned long)XML_GetCurrentLineNumber(r->parser));
    }
    XML_ParserFree(r->parser);
    return r->rc < 0 ? r->rc : settle(r);
}

int gm_s3_answer_read(enum gm_s3_kind kind, const void *body, size_t size, struct gm_s3_answer *out,
                      struct gm_err *err)
{
    struct reader *r;
    const char *text = body;
    int rc;

    if (size > GM_S3_ANSWER_MAX) {
        return gm_err_set(err, GM_E_LIMIT, 0, "the store's answer had %zu bytes, more than %zu",
                          size, GM_S3_ANSWER_MAX);
    }
    while (size > 0 && (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n')) {
        text++;
        size--;
    }
    if (size == 0) {
        return gm_err_set(err, GM_E_STORE, 0, "the store's answer could not be read: it is empty");
    }
    r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return gm_err_nomem(err);
    }
    r->kind = kind;
    r->err = err;
    rc = parse(r, text, size);
    if (rc == 0) {
        *out = r->answer;
        r->answer = (struct gm_s3_answer){.is_error = false};
    }
    gm_s3_answer_fini(&r->answer);
    gm_buf_fini(&r->text);
    free(r);
    return rc;
}

void gm_s3_answer_fini(struct gm_s3_answer *answer)
{
    for (size_t i = 0; i < answer->object_count; i++) {
        free(answer->objects[i].key);
        free(answer->objects[i].upload_id);
    }
    free(answer->objects);
    free(answer->next);
    free(answer->next_upload);
    free(answer->upload_id);
    free(answer->etag);
    *answer = (struct gm_s3_answer){.is_error = false};
}
