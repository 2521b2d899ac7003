/* output - what one process of an environment prints: bytes of a pipe in, events out.
 *
 * A line is an event, and so is a frame (frame.h): a record of several lines. Frames go through the
 * same pipe as what is printed, so that both keep their order; four bytes that no text has mark
 * them (0xa5 cannot begin a character of UTF-8). */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "service/lambda/frame.h"

struct output;

/* Takes the fd over. The instance closes those that are still open when it is freed. */
struct output *output_open(struct instance *in, enum platform_source source, bool framed, int fd);
/* What is in the pipe now. -EPIPE at its end. */
int output_read(struct output *o);
void output_flush(struct output *o); /* a line without end becomes an event */
void output_end(struct output *o);   /* so does a frame: who wrote it has ended */
/* Reads it to its end, for now, and frees it. Accepts NULL. */
void output_close(struct output *o);
