# The kernels' module: PTX by clang always, a fatbin by nvcc where it is found (GOPMILL_NVCC: AUTO, ON
# to insist, OFF). Neither needs a CUDA toolkit's headers.
set(GOPMILL_NVCC AUTO CACHE STRING "a fatbin beside the PTX: AUTO, ON or OFF")
find_program(GM_CLANG NAMES clang clang-14 clang-16 clang-19 REQUIRED)
file(GLOB GM_CU CONFIGURE_DEPENDS kernels/*.cu kernels/device.h kernels/args.h)
set(GM_MODULE ${CMAKE_SOURCE_DIR}/kernels/kernels.cu)
set(GM_PTX ${CMAKE_BINARY_DIR}/gen/kernels.ptx)
add_custom_command(OUTPUT ${GM_PTX}
  COMMAND ${GM_CLANG} -x cuda -S --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_52 -O3
          -ffp-contract=off --cuda-path=/nonexistent -I${CMAKE_SOURCE_DIR} ${GM_MODULE} -o ${GM_PTX}
  COMMAND ${CMAKE_COMMAND} -DPTX=${GM_PTX} -DDEF=${CMAKE_SOURCE_DIR}/kernels/entries.def
          -P ${CMAKE_SOURCE_DIR}/kernels/check_entries.cmake
  DEPENDS ${GM_CU} kernels/entries.def kernels/check_entries.cmake VERBATIM)
set(GM_IMAGE_FILES ${GM_PTX})
set(GM_IMAGE_DEFINITIONS GM_PTX_FILE="${GM_PTX}")
if(NOT GOPMILL_NVCC STREQUAL OFF)
  find_program(GM_NVCC nvcc HINTS /usr/local/cuda/bin)
  if(GM_NVCC)
    set(GM_FATBIN ${CMAKE_BINARY_DIR}/gen/kernels.fatbin)
    set(targets)
    execute_process(COMMAND ${GM_NVCC} --list-gpu-arch OUTPUT_VARIABLE known COMMAND_ERROR_IS_FATAL ANY)
    foreach(arch 75 80 86 89 90 100 120)
      if(known MATCHES "compute_${arch}[^0-9a-z]")
        list(APPEND targets -gencode arch=compute_${arch},code=sm_${arch})
      endif()
    endforeach()
    add_custom_command(OUTPUT ${GM_FATBIN}
      COMMAND ${GM_NVCC} -fatbin -O3 --fmad=false --no-compress ${targets} -I${CMAKE_SOURCE_DIR} ${GM_MODULE}
              -o ${GM_FATBIN}
      DEPENDS ${GM_CU} VERBATIM)
    list(APPEND GM_IMAGE_FILES ${GM_FATBIN})
    list(APPEND GM_IMAGE_DEFINITIONS GM_FATBIN_FILE="${GM_FATBIN}")
  elseif(GOPMILL_NVCC STREQUAL ON)
    message(FATAL_ERROR "GOPMILL_NVCC is ON and there is no nvcc")
  endif()
endif()
set_source_files_properties(kernels/image.c PROPERTIES OBJECT_DEPENDS "${GM_IMAGE_FILES}"
  COMPILE_DEFINITIONS "${GM_IMAGE_DEFINITIONS}")
set_source_files_properties(kernels/mean.c PROPERTIES COMPILE_OPTIONS $<$<NOT:$<CONFIG:Debug>>:-O3>)
set_source_files_properties(kernels/twin.c PROPERTIES OBJECT_DEPENDS "${GM_CU}"
  COMPILE_OPTIONS $<$<NOT:$<CONFIG:Debug>>:-O3>)
