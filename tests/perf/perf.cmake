# perf.cmake - the floors that the figures are ratios to; built with the tests, run by tests/perf/run.
pkg_check_modules(FLOOR REQUIRED IMPORTED_TARGET yaml-0.1 lua5.4 libuv sqlite3 libpcre2-8 libsodium)
pkg_check_modules(FLOOR_YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(FLOOR_SQLITE REQUIRED IMPORTED_TARGET sqlite3)
foreach(pair "start FLOOR" "walk FLOOR_YAML" "tasks FLOOR_SQLITE" "sync FLOOR_SQLITE")
  separate_arguments(pair)
  list(GET pair 0 name)
  list(GET pair 1 libraries)
  add_executable(floor_${name} ${CMAKE_SOURCE_DIR}/tests/perf/floor_${name}.c)
  target_compile_definitions(floor_${name} PRIVATE _GNU_SOURCE PCRE2_CODE_UNIT_WIDTH=8)
  target_link_libraries(floor_${name} PRIVATE flow_warnings -Wl,--no-as-needed PkgConfig::${libraries})
  target_compile_options(floor_${name} PRIVATE -O2)
  set_target_properties(floor_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endforeach()

add_executable(perf_peak ${CMAKE_SOURCE_DIR}/tests/perf/peak.c)
target_compile_definitions(perf_peak PRIVATE _GNU_SOURCE)
target_link_libraries(perf_peak PRIVATE flow_warnings -static)
set_target_properties(perf_peak PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Expressions against plain Lua, strftime and jansson: run by tests/perf/expressions.
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
add_executable(floor_expressions ${CMAKE_SOURCE_DIR}/tests/perf/floor_expressions.c)
target_include_directories(floor_expressions PRIVATE ${CMAKE_SOURCE_DIR}/runtime)
target_link_libraries(floor_expressions PRIVATE flow_warnings flow_runtime_leaf PkgConfig::JANSSON)
set_target_properties(floor_expressions PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# The floor of checking many flows needs the grammar of expressions.
add_executable(floor_survey ${CMAKE_SOURCE_DIR}/tests/perf/floor_survey.c)
target_compile_options(floor_survey PRIVATE -O2)
target_link_libraries(floor_survey PRIVATE flow_warnings flow_compiler_expr PkgConfig::FLOOR_YAML)
set_target_properties(floor_survey PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
