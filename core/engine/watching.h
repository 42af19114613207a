/*
 * A keeper's lines between its turns: which watch what, and how they are called
 * back. All but the probe are for the keeper's turn.
 */
#ifndef ENGINE_WATCHING_H
#define ENGINE_WATCHING_H

#include "engine/keeper.h"

/* Calls back the lines that watch, or only those whose watch has ended; those
 * that are lost are closed. Returns why, with the words in the keeper. Waits.
 */
PR_CHECKED pr_status watching_recall(struct keeper *keeper, bool all);
/* The same for lines that have a folder which is due; if no line is open then
 * that does not watch, calls back the one whose folders matter least. Waits. */
PR_CHECKED pr_status watching_recall_due(struct keeper *keeper);
/* Gives folders to the lines that do not watch: as many as they reach, by
 * importance; closes what is not needed. Folders that a line has to look at
 * first have news then. */
void watching_assign(struct keeper *keeper);
/* Works off the news of folders, each on its own line. Waits. */
PR_CHECKED pr_status watching_work(struct keeper *keeper,
                                   struct account_run *run);
/* run->next_folder: the folders with news that are the line's. */
const char *watching_next(struct account_run *run, struct line *line);
/* Every line that has folders watches them from now on. */
void watching_start(struct keeper *keeper);
/* After news of which `messages` came: waits a moment if there was nothing
 * several times in a row. */
void watching_calm(struct keeper *keeper, uint64_t messages);
/* Fine if it is NULL or not open. Waits. */
void watching_close(struct keeper *keeper, struct line *line);
/* A line that is open and does not watch; NULL: there is none. */
struct line *watching_first_open(const struct keeper *keeper);
/* What closed lines knew of folders is worth nothing any more. */
void watching_forget_closed(struct keeper *keeper);
/* Leaves all lines to a fiber that closes them without a word to the server. */
void watching_give_up(struct keeper *keeper);
/* Whoever watches proves that its line is alive, whoever works has a short time
 * to get on. From any fiber. */
void watching_probe(struct keeper *keeper);

#endif
