# Finds libtorch and defines the imported target toolformer_libtorch (libtorch_cpu and libc10, nothing of CUDA).
#
# Not find_package(Torch): the configuration that the wheel ships demands a CUDA toolkit where torch was built with CUDA,
# fails with C++20 under CMake 3.25 and adds its own compiler flags. The same binary serves machines with and without CUDA,
# because nothing here links it (docs/decisions.md).
#
# Looked for, in this order: -DTOOLFORMER_TORCH_DIR=<folder with include/ and lib/>, the environment variable of the same
# name, where the installed library was built, .deps/python/torch of this source tree, and the torch package of the Python on
# the PATH.
set(TOOLFORMER_TORCH_DIR "" CACHE PATH "libtorch: a folder with include/ and lib/ (the torch wheel's torch/ is one)")

set(_torch_candidates "${TOOLFORMER_TORCH_DIR}" "$ENV{TOOLFORMER_TORCH_DIR}" "${TOOLFORMER_TORCH_BUILT}"
    "${PROJECT_SOURCE_DIR}/.deps/python/torch")
find_program(_torch_python NAMES python3)
if(_torch_python)
  execute_process(COMMAND "${_torch_python}" -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
                  OUTPUT_VARIABLE _torch_from_python OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(APPEND _torch_candidates "${_torch_from_python}")
endif()
foreach(_candidate IN LISTS _torch_candidates)
  if(_candidate AND EXISTS "${_candidate}/lib/libtorch_cpu.so")
    set(Libtorch_DIR_FOUND "${_candidate}")
    break()
  endif()
endforeach()
if(NOT Libtorch_DIR_FOUND)
  message(FATAL_ERROR "libtorch not found. Run `make setup`, or give -DTOOLFORMER_TORCH_DIR=<folder with include/ and lib/>, "
                      "for instance the torch/ folder of `pip install --no-deps torch==2.11.0`.")
endif()
set(Libtorch_VERSION "")
foreach(_header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
  if(EXISTS "${Libtorch_DIR_FOUND}/include/${_header}")
    file(READ "${Libtorch_DIR_FOUND}/include/${_header}" _version_header)
    if(_version_header MATCHES "TORCH_VERSION_MAJOR ([0-9]+)" )
      set(Libtorch_VERSION "${CMAKE_MATCH_1}")
      foreach(_part MINOR PATCH)
        string(REGEX MATCH "TORCH_VERSION_${_part} ([0-9]+)" _ignored "${_version_header}")
        string(APPEND Libtorch_VERSION ".${CMAKE_MATCH_1}")
      endforeach()
      break()
    endif()
  endif()
endforeach()
message(STATUS "libtorch ${Libtorch_VERSION}: ${Libtorch_DIR_FOUND}")
if(Libtorch_VERSION AND NOT Libtorch_VERSION MATCHES "^2\\.11\\.")
  message(WARNING "libtorch ${Libtorch_VERSION} is not 2.11, the version that this project is tested with")
endif()

add_library(toolformer_c10 SHARED IMPORTED GLOBAL)
set_target_properties(toolformer_c10 PROPERTIES IMPORTED_LOCATION "${Libtorch_DIR_FOUND}/lib/libc10.so")
add_library(toolformer_libtorch SHARED IMPORTED GLOBAL)
set_target_properties(toolformer_libtorch PROPERTIES IMPORTED_LOCATION "${Libtorch_DIR_FOUND}/lib/libtorch_cpu.so")
# After the system's own folders: the wheel ships headers of other libraries (fmt among them) in versions whose code it keeps
# to itself.
target_compile_options(toolformer_libtorch INTERFACE "SHELL:-idirafter \"${Libtorch_DIR_FOUND}/include\""
                       "SHELL:-idirafter \"${Libtorch_DIR_FOUND}/include/torch/csrc/api/include\"")
target_link_libraries(toolformer_libtorch INTERFACE toolformer_c10)

# toolformer_libtorch_cuda: libtorch's CUDA half, for the plugin alone. Not there without it, or without the headers of the
# CUDA runtime (of the toolkit, or of the wheels nvidia-cuda-runtime and nvidia-cuda-crt); CUDA devices then work without
# the plugin.
find_path(TOOLFORMER_CUDA_INCLUDE NAMES crt/host_defines.h DOC "headers of the CUDA runtime"
          HINTS "${Libtorch_DIR_FOUND}/../nvidia/cu13/include" ENV CUDA_HOME ENV CUDA_PATH
          PATHS /usr/local/cuda /usr/local/cuda-13 /usr/local/cuda-13.0 PATH_SUFFIXES include)
if(EXISTS "${Libtorch_DIR_FOUND}/lib/libtorch_cuda.so" AND EXISTS "${Libtorch_DIR_FOUND}/lib/libc10_cuda.so"
   AND EXISTS "${TOOLFORMER_CUDA_INCLUDE}/cuda_runtime_api.h")
  add_library(toolformer_c10_cuda SHARED IMPORTED GLOBAL)
  set_target_properties(toolformer_c10_cuda PROPERTIES IMPORTED_LOCATION "${Libtorch_DIR_FOUND}/lib/libc10_cuda.so")
  add_library(toolformer_libtorch_cuda SHARED IMPORTED GLOBAL)
  set_target_properties(toolformer_libtorch_cuda PROPERTIES IMPORTED_LOCATION "${Libtorch_DIR_FOUND}/lib/libtorch_cuda.so")
  target_compile_options(toolformer_libtorch_cuda INTERFACE "SHELL:-idirafter \"${TOOLFORMER_CUDA_INCLUDE}\"")
  # What libtorch_cuda itself needs (cuBLAS, cuDNN, ...) is not looked for here: the loader finds it, or not.
  target_link_options(toolformer_libtorch_cuda INTERFACE -Wl,--allow-shlib-undefined)
  target_link_libraries(toolformer_libtorch_cuda INTERFACE toolformer_c10_cuda toolformer_libtorch)
  message(STATUS "CUDA plugin: with the headers in ${TOOLFORMER_CUDA_INCLUDE}")
else()
  message(STATUS "CUDA plugin: left out (no libtorch_cuda, or no headers of the CUDA runtime)")
endif()
