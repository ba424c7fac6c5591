# One library target per folder of src/, and an include path that shows a module only what it may use.
#
# Headers are included as "module/header.h". The directory that makes that work is not src/ itself
# but a generated one per module that holds a single symbolic link to the module's folder. A target
# sees the directories of the modules it links, so an upward include does not compile.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

# varve_module(NAME DEPENDS modules... LIBRARIES libraries...
#              TEST_LIBRARIES libraries...)
function(varve_module name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LIBRARIES;TEST_LIBRARIES" ${ARGN})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  set(view ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${folder} ${view}/${name} SYMBOLIC)

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")

  add_library(varve_${name} STATIC ${sources})
  target_include_directories(varve_${name} PUBLIC ${view})
  list(TRANSFORM ARG_DEPENDS PREPEND varve_)
  target_link_libraries(varve_${name} PUBLIC ${ARG_DEPENDS} ${ARG_LIBRARIES} Threads::Threads)
  if(name STREQUAL "base")
    target_precompile_headers(varve_${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)
  else()
    target_precompile_headers(varve_${name} REUSE_FROM varve_base)
  endif()

  if(VARVE_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE varve_${name} ${ARG_TEST_LIBRARIES} varve_gtest)
    if(name STREQUAL "base")
      target_precompile_headers(${name}_test PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch_test.h)
    else()
      target_precompile_headers(${name}_test REUSE_FROM base_test)
    endif()
    add_test(NAME ${name} COMMAND ${name}_test --gtest_brief=1)
  endif()
endfunction()
