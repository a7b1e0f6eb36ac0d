# The page's files become data of the scheduler: gen/web_files.c, a row a file, with its bytes, the same
# through gzip, and an ETag of its hash. Made when CMake configures, which a change of any of them causes.
set(GM_WEB_DIR ${CMAKE_SOURCE_DIR}/scheduler/web)
set(GM_WEB_GEN ${CMAKE_BINARY_DIR}/gen/web)
file(GLOB GM_WEB_FILES CONFIGURE_DEPENDS RELATIVE ${GM_WEB_DIR}
     ${GM_WEB_DIR}/*.html ${GM_WEB_DIR}/*.css ${GM_WEB_DIR}/*.svg ${GM_WEB_DIR}/*.js ${GM_WEB_DIR}/vendor/*)
file(MAKE_DIRECTORY ${GM_WEB_GEN}/vendor)
set(GM_WEB_TYPE_html "text/html; charset=utf-8")
set(GM_WEB_TYPE_css "text/css; charset=utf-8")
set(GM_WEB_TYPE_js "text/javascript; charset=utf-8")
set(GM_WEB_TYPE_svg "image/svg+xml")
set(GM_WEB_TYPE_txt "text/plain; charset=utf-8")
set(data "")
set(rows "")
set(n 0)
foreach(f ${GM_WEB_FILES})
  set(source ${GM_WEB_DIR}/${f})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(SHA256 ${source} hash)
  string(SUBSTRING ${hash} 0 32 hash)
  set(packed ${GM_WEB_GEN}/${f}-${hash}.gz)
  if(NOT EXISTS ${packed})
    file(ARCHIVE_CREATE OUTPUT ${packed} PATHS ${source} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
  endif()
  file(SIZE ${source} size)
  file(SIZE ${packed} packed_size)
  string(REGEX MATCH "[a-z]+$" type ${f})
  if(f STREQUAL "index.html")
    set(path "/")
  else()
    set(path "/web/${f}")
  endif()
  string(APPEND data "DATA(web_${n}, \"${source}\");\nDATA(web_${n}_gz, \"${packed}\");\n")
  string(APPEND rows "    {\"${path}\", \"${GM_WEB_TYPE_${type}}\", \"W/\\\"${hash}\\\"\",\n"
         "     web_${n}, ${size}, web_${n}_gz, ${packed_size}},\n")
  math(EXPR n "${n} + 1")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/gen/web_files.c @ONLY CONTENT [=[
/* Made by scheduler/web/embed.cmake. */
#include "scheduler/http/web.h"

#define DATA(name, file)                                                                           \
    __asm__(".pushsection .rodata,\"a\",@progbits\n" #name ":\n.incbin \"" file "\"\n.byte 0\n"     \
            ".popsection\n");                                                                      \
    extern const unsigned char(name)[] __attribute__((visibility("hidden")))

@data@
const struct gm_web_file gm_web_files[] = {
@rows@};
const size_t gm_web_file_count = @n@;
]=])
