# tests.cmake - finds the tests: tests/<module>/<subject>_test.c (cmocka), tests/fuzz/*_fuzz.c, tests/*/*.py.
#
# A unit test may use every module. A script test prints why and ends with 77 when it has to be skipped.

find_package(cmocka REQUIRED)

# The simulation has an engine with small pages, so that its small flows fill many.
get_target_property(engine_sources flow_runtime_engine SOURCES)
add_library(engine_with_small_pages STATIC ${engine_sources})
target_compile_definitions(engine_with_small_pages PRIVATE ENGINE_PAGE=4)
target_include_directories(engine_with_small_pages PRIVATE ${CMAKE_SOURCE_DIR}/runtime)
target_link_libraries(engine_with_small_pages PRIVATE flow_warnings PUBLIC flow_options)

file(GLOB unit_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/*_test.c)
foreach(source ${unit_tests})
  get_filename_component(name ${source} NAME_WE)
  get_filename_component(folder ${source} DIRECTORY)
  get_filename_component(module ${folder} NAME)
  set(target ${module}_${name})
  add_executable(${target} ${source})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/compiler ${CMAKE_SOURCE_DIR}/runtime)
  target_compile_definitions(${target} PRIVATE FLOW_SOURCE_DIR="${CMAKE_SOURCE_DIR}" FLOW_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set(first "")
  if(target STREQUAL engine_simulation_test)
    set(first engine_with_small_pages)
  endif()
  target_link_libraries(${target} PRIVATE flow_warnings cmocka ${first} -Wl,--start-group ${FLOW_MODULES} -Wl,--end-group)
  add_test(NAME ${module}.${name} COMMAND ${target})
  set_tests_properties(${module}.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
endforeach()

# Fuzz targets: with FLOW_FUZZ real fuzzers, else programs that replay their corpus, which is a test.
file(GLOB fuzz_targets CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.c)
foreach(source ${fuzz_targets})
  get_filename_component(name ${source} NAME_WE)
  if(FLOW_FUZZ)
    add_executable(${name} ${source})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${source} ${CMAKE_SOURCE_DIR}/tests/support/replay.c)
    add_test(NAME fuzz.${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/compiler ${CMAKE_SOURCE_DIR}/runtime)
  target_link_libraries(${name} PRIVATE flow_warnings -Wl,--start-group ${FLOW_MODULES} -Wl,--end-group)
endforeach()

find_program(PYTHON3 NAMES /usr/bin/python3 python3 REQUIRED)
file(GLOB script_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/test_*.py)
foreach(source ${script_tests})
  get_filename_component(name ${source} NAME_WE)
  get_filename_component(folder ${source} DIRECTORY)
  get_filename_component(module ${folder} NAME)
  string(REGEX REPLACE "^test_" "" name ${name})
  add_test(NAME ${module}.${name} COMMAND ${PYTHON3} ${source})
  set_tests_properties(${module}.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600
    ENVIRONMENT "FLOW_SOURCE=${CMAKE_SOURCE_DIR};FLOW_BUILD=${CMAKE_BINARY_DIR};FLOWC=${CMAKE_BINARY_DIR}/bin/flowc;FLOWRUN=${CMAKE_BINARY_DIR}/bin/flowrun;PYTHONDONTWRITEBYTECODE=1")
endforeach()
# What judges by other programs' results, at their pace: not again with the sanitizers.
set_tests_properties(components.docker components.docker_engine components.kestra quality.judge PROPERTIES LABELS once)
set_tests_properties(quality.judge PROPERTIES TIMEOUT 3000)
include(tests/perf/perf.cmake)
