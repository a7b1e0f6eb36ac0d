#ifndef GM_MEDIA_VERSION_H
#define GM_MEDIA_VERSION_H

/* Bumped by hand when the bytes that media/ makes change. */
#define GM_MEDIA_VERSION 35

#endif
