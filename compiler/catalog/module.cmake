# module.cmake - builds the build tool of stdlib/ and with it the tables of types and task modules.
set(flow_generated ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${flow_generated})
file(GLOB flow_builder_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/compiler/catalog/build*.c
  ${CMAKE_SOURCE_DIR}/compiler/catalog/names.c)
add_executable(flow_embed ${CMAKE_SOURCE_DIR}/stdlib/embed.c ${CMAKE_SOURCE_DIR}/stdlib/embed_modules.c
  ${flow_builder_sources})
set_target_properties(flow_embed PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tools)
target_include_directories(flow_embed PRIVATE ${CMAKE_SOURCE_DIR}/stdlib ${CMAKE_SOURCE_DIR}/compiler)
target_link_libraries(flow_embed PRIVATE flow_warnings flow_options flow_runtime_value flow_runtime_base)
flow_use_library(flow_embed lua5.4)

file(GLOB_RECURSE flow_stdlib_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/stdlib/*.yaml ${CMAKE_SOURCE_DIR}/stdlib/*.lua)
add_custom_command(
  OUTPUT ${flow_generated}/catalog_tables.c ${flow_generated}/stdlib_modules.c
  COMMAND flow_embed stdlib ${flow_generated}/catalog_tables.c ${flow_generated}/stdlib_modules.c
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
  DEPENDS flow_embed ${flow_stdlib_files}
  COMMENT "Embedding stdlib" VERBATIM)
target_sources(${target} PRIVATE ${flow_generated}/catalog_tables.c ${flow_generated}/stdlib_modules.c)
flow_use_library(${target} lua5.4)
