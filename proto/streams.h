#ifndef GM_PROTO_STREAMS_H
#define GM_PROTO_STREAMS_H

/* The streams of split's items (Item.stream, ChunkHeader.stream), the same in every pipeline: a
 * track keeps its number whether others are there or not. SplitMeta.items is indexed by them. */
#define GM_STREAM_VIDEO 0u
#define GM_STREAM_SOUND 1u /* + k: the policy's sound track k */
#define GM_STREAM_TEXT 17u /* + k: the policy's text track k */
#define GM_STREAMS 33u
#define GM_MAX_SOUND_TRACKS (GM_STREAM_TEXT - GM_STREAM_SOUND)
#define GM_MAX_TEXT_TRACKS (GM_STREAMS - GM_STREAM_TEXT)

#endif
