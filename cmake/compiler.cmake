# Warnings, optimisation, sanitizers and ccache: everything that depends on the compiler.

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                    -Wimplicit-fallthrough -Wformat=2 -Werror
                    # Option structs are initialised by the names of a few members; the others have defaults.
                    -Wno-missing-field-initializers)

# Debian's RelWithDebInfo default is -O2 -g with NDEBUG; -g1 keeps back traces and halves the build.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g1")

if(VARVE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(VARVE_SANITIZE STREQUAL "thread")
  # GCC warns that TSan does not model atomic_thread_fence, which libstdc++ headers mention.
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -Wno-tsan)
  add_link_options(-fsanitize=thread)
elseif(VARVE_SANITIZE STREQUAL "fuzzer")
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(NOT VARVE_SANITIZE STREQUAL "")
  message(FATAL_ERROR "VARVE_SANITIZE=${VARVE_SANITIZE}: expected address, thread, fuzzer or nothing")
endif()

find_program(VARVE_CCACHE ccache)
if(VARVE_CCACHE)
  # A precompiled header is only cached by ccache with these; see "Precompiled headers" in ccache(1).
  set(VARVE_CCACHE_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      # Another clone of the same sources finds what this one compiled.
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=true
      ${VARVE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${VARVE_CCACHE_LAUNCHER})
  set(CMAKE_C_COMPILER_LAUNCHER ${VARVE_CCACHE_LAUNCHER})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees an uninitialised read in libstdc++'s own std::stop_source and std::expected.
  add_compile_options(-Wno-maybe-uninitialized)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()
