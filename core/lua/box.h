/*
 * What the function of a sweep works with: the box, sets of its messages, and
 * folders.
 */
#ifndef LUA_BOX_H
#define LUA_BOX_H

#include "lua/script.h"
#include "lua/sweep.h"

#define TYPE_BOX "postrider.box"
#define TYPE_SET "postrider.set"

/* Kept by the registry while the sweep runs. */
struct box_cell {
    struct sweep_box *box; /* NULL: its run is over */
    char *folder;          /* behind it, for words */
    struct cell *message;  /* the one that a loop is at; NULL: none. It is a
                              value of the box */
};

void open_boxes(lua_State *L);
void open_sets(lua_State *L);

/* Pushes the box of a run; the registry keeps it until who runs the sweep takes
 * it out again. */
struct box_cell *push_box(lua_State *L, struct sweep_box *box);
/* The box at `arg`, while it is swept; raises otherwise. */
struct box_cell *check_box(lua_State *L, int arg);
/* Raises if the run of the box is over. */
struct sweep_box *check_open(lua_State *L, const struct box_cell *cell);
/* What a call of the box's failed with, as an error. */
void check_call(lua_State *L, pr_status status);

/* Pushes a set of the messages in a tidy array; the box is at `arg`. */
void push_set(lua_State *L, int arg, const struct pr_range *ranges,
              size_t count);
/* Pushes the set of what a search for these keys finds. Waits. */
void push_found(lua_State *L, int arg, const struct pr_search_key *keys,
                size_t count);

/* search.c: box:search { ... } */
int box_search(lua_State *L);

/* Adds a step of the line that is running. */
void add_step(lua_State *L, struct sweep_box *box, struct sweep_step step);
/* Raises if nothing may be changed. */
void check_changes(lua_State *L, const struct sweep_box *box);

/* folders.c */
void open_folders(lua_State *L);

#endif
