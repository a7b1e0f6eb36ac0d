/* The tree is built from libyaml's events with a stack of the open lists and maps; nothing here
 * recurses. See common/yaml.h for the limits. */
#include "common/yaml.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "common/buf.h"

#define MAX_BYTES ((size_t)1024 * 1024)
#define MAX_DEPTH 32
#define MAX_NODES 20000

struct frame {
    struct gm_yaml *node;
    struct gm_yaml *last; /* its last child */
    size_t children;
};

struct builder {
    const char *name; /* borrowed */
    struct gm_yaml *root;
    struct frame stack[MAX_DEPTH];
    int depth;
    size_t nodes;
    char *key; /* owned: read, its value not yet */
    int key_line;
};

static int fail_at(const char *file, size_t line, size_t column, struct gm_err *err,
                   const char *what)
{
    return gm_err_set(err, GM_E_CONFIG, 0, "%.100s:%zu:%zu: %s", file, line, column, what);
}

static int fail_mark(const struct builder *b, const yaml_mark_t *mark, struct gm_err *err,
                     const char *what)
{
    return fail_at(b->name, mark->line + 1, mark->column + 1, err, what);
}

/* The root is one block with the copy of the file's name behind it. */
static struct gm_yaml *make_node(struct builder *b, enum gm_yaml_kind kind, const yaml_mark_t *mark)
{
    size_t name_size = b->root == NULL ? strlen(b->name) + 1 : 0;
    struct gm_yaml *node = calloc(1, sizeof(*node) + name_size);

    if (node == NULL) {
        return NULL;
    }
    if (b->root == NULL) {
        memcpy(node + 1, b->name, name_size);
        node->file = (const char *)(node + 1);
    } else {
        node->file = b->root->file;
    }
    node->kind = kind;
    node->line = (int)mark->line + 1;
    node->column = (int)mark->column + 1;
    return node;
}

/* Puts node where the document stands: into the open list or map, or as the root. */
static void attach(struct builder *b, struct gm_yaml *node)
{
    struct frame *top;

    if (b->depth == 0) {
        b->root = node;
        return;
    }
    top = &b->stack[b->depth - 1];
    if (top->node->kind == GM_YAML_MAP) {
        node->key = b->key;
        node->key_line = b->key_line;
        b->key = NULL;
    }
    if (top->last == NULL) {
        top->node->child = node;
    } else {
        top->last->next = node;
    }
    top->last = node;
    top->children++;
}

static bool wants_key(const struct builder *b)
{
    return b->depth > 0 && b->stack[b->depth - 1].node->kind == GM_YAML_MAP && b->key == NULL;
}

static int open_node(struct builder *b, enum gm_yaml_kind kind, const yaml_event_t *event,
                     struct gm_err *err)
{
    struct gm_yaml *node;

    if (wants_key(b)) {
        return fail_mark(b, &event->start_mark, err, "a key must be a word");
    }
    if (b->depth == MAX_DEPTH) {
        return gm_err_set(err, GM_E_LIMIT, 0, "%.100s:%zu: nested more than %d levels deep",
                          b->name, event->start_mark.line + 1, MAX_DEPTH);
    }
    node = make_node(b, kind, &event->start_mark);
    if (node == NULL) {
        return gm_err_nomem(err);
    }
    attach(b, node);
    b->stack[b->depth++] = (struct frame){.node = node};
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct gm_yaml *x = *(const struct gm_yaml *const *)a;
    const struct gm_yaml *y = *(const struct gm_yaml *const *)b;
    int order = strcmp(x->key, y->key);

    if (order == 0) {
        order = x->key_line < y->key_line ? -1 : x->key_line > y->key_line ? 1 : 0;
    }
    return order;
}

static int check_duplicates(const struct frame *map, struct gm_err *err)
{
    const struct gm_yaml **sorted;
    size_t n = 0;
    int rc = 0;

    if (map->children < 2) {
        return 0;
    }
    sorted = calloc(map->children, sizeof(*sorted));
    if (sorted == NULL) {
        return gm_err_nomem(err);
    }
    for (const struct gm_yaml *c = map->node->child; c != NULL; c = c->next) {
        sorted[n++] = c;
    }
    qsort(sorted, n, sizeof(*sorted), by_key);
    for (size_t i = 1; i < n && rc == 0; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0) {
            rc = gm_err_set(err, GM_E_CONFIG, 0,
                            "%.100s:%d: key `%.40s` stands twice, first on "
                            "line %d",
                            map->node->file, sorted[i]->key_line, sorted[i]->key,
                            sorted[i - 1]->key_line);
        }
    }
    free(sorted);
    return rc;
}

static int close_node(struct builder *b, struct gm_err *err)
{
    struct frame *top;

    GM_ASSERT(b->depth > 0); /* the parser's ends are balanced */
    top = &b->stack[--b->depth];
    return top->node->kind == GM_YAML_MAP ? check_duplicates(top, err) : 0;
}

static int add_scalar(struct builder *b, const yaml_event_t *event, struct gm_err *err)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    struct gm_yaml *node;
    char *text;

    if (memchr(value, '\0', length) != NULL) {
        return fail_mark(b, &event->start_mark, err, "a zero byte in a text");
    }
    text = malloc(length + 1);
    if (text == NULL) {
        return gm_err_nomem(err);
    }
    memcpy(text, value, length);
    text[length] = '\0';
    if (wants_key(b)) {
        b->key = text;
        b->key_line = (int)event->start_mark.line + 1;
        return 0;
    }
    node = make_node(b, GM_YAML_SCALAR, &event->start_mark);
    if (node == NULL) {
        free(text);
        return gm_err_nomem(err);
    }
    node->text = text;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    attach(b, node);
    return 0;
}

static int refuse_marks(const struct builder *b, const yaml_event_t *event, const void *anchor,
                        const void *tag, struct gm_err *err)
{
    if (anchor != NULL) {
        return fail_mark(b, &event->start_mark, err, "anchors (&name) are not supported");
    }
    if (tag != NULL) {
        return fail_mark(b, &event->start_mark, err, "tags (!name) are not supported");
    }
    return 0;
}

static int handle_event(struct builder *b, const yaml_event_t *event, struct gm_err *err)
{
    int rc;

    if (event->type == YAML_SCALAR_EVENT || event->type == YAML_SEQUENCE_START_EVENT ||
        event->type == YAML_MAPPING_START_EVENT) {
        if (++b->nodes > MAX_NODES) {
            return gm_err_set(err, GM_E_LIMIT, 0, "%.100s:%zu: more than %d values", b->name,
                              event->start_mark.line + 1, MAX_NODES);
        }
    }
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return fail_mark(b, &event->start_mark, err, "aliases (*name) are not supported");
    case YAML_SCALAR_EVENT:
        rc = refuse_marks(b, event, event->data.scalar.anchor, event->data.scalar.tag, err);
        return rc < 0 ? rc : add_scalar(b, event, err);
    case YAML_SEQUENCE_START_EVENT:
        rc = refuse_marks(b, event, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag, err);
        return rc < 0 ? rc : open_node(b, GM_YAML_LIST, event, err);
    case YAML_MAPPING_START_EVENT:
        rc = refuse_marks(b, event, event->data.mapping_start.anchor, event->data.mapping_start.tag,
                          err);
        return rc < 0 ? rc : open_node(b, GM_YAML_MAP, event, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_node(b, err);
    case YAML_DOCUMENT_START_EVENT:
        if (b->root != NULL) {
            return fail_mark(b, &event->start_mark, err, "a second document in one file");
        }
        return 0;
    default:
        return 0;
    }
}

static int parser_error(const struct builder *b, const yaml_parser_t *parser, struct gm_err *err)
{
    const char *problem = parser->problem == NULL ? "not YAML" : parser->problem;

    if (parser->error == YAML_MEMORY_ERROR) {
        return gm_err_nomem(err);
    }
    if (parser->error == YAML_READER_ERROR) {
        return gm_err_set(err, GM_E_CONFIG, 0, "%.100s: at byte %zu: %s", b->name,
                          parser->problem_offset, problem);
    }
    if (strcmp(problem, "found character that cannot start any token") == 0) {
        problem = "a character that can't begin anything here (YAML is indented by spaces, never "
                  "by tabs)";
    }
    return fail_mark(b, &parser->problem_mark, err, problem);
}

/* A file without a value is an empty map: a configuration may hold comments alone. */
static int finish(struct builder *b, struct gm_err *err)
{
    const yaml_mark_t start = {0};
    struct gm_yaml *root = b->root;

    if (root != NULL && !(root->kind == GM_YAML_SCALAR && root->plain && root->text[0] == '\0')) {
        return 0;
    }
    gm_yaml_destroy(&b->root);
    b->root = make_node(b, GM_YAML_MAP, &start);
    return b->root == NULL ? gm_err_nomem(err) : 0;
}

int gm_yaml_parse(const char *name, const void *data, size_t size, struct gm_yaml **out,
                  struct gm_err *err)
{
    struct builder b = {.name = name};
    yaml_parser_t parser;
    yaml_event_t event;
    bool ended = false;
    int rc = 0;

    if (size > MAX_BYTES) {
        return gm_err_set(err, GM_E_LIMIT, 0, "%.100s: over %zu bytes", name, MAX_BYTES);
    }
    if (!yaml_parser_initialize(&parser)) {
        return gm_err_nomem(err);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, size == 0 ? (const uint8_t *)"" : data, size);
    while (!ended) {
        if (!yaml_parser_parse(&parser, &event)) {
            rc = parser_error(&b, &parser, err);
            goto out;
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        rc = handle_event(&b, &event, err);
        yaml_event_delete(&event);
        if (rc < 0) {
            goto out;
        }
    }
    rc = finish(&b, err);
    if (rc < 0) {
        goto out;
    }
    *out = b.root;
    b.root = NULL;
out:
    free(b.key);
    gm_yaml_destroy(&b.root);
    yaml_parser_delete(&parser);
    return rc;
}

void gm_yaml_destroy(struct gm_yaml **root)
{
    struct gm_yaml *node = *root;

    /* a node's children go in front of its siblings, then the node goes */
    while (node != NULL) {
        struct gm_yaml *next = node->next;

        if (node->child != NULL) {
            struct gm_yaml *last = node->child;

            while (last->next != NULL) {
                last = last->next;
            }
            last->next = next;
            next = node->child;
        }
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
    *root = NULL;
}
