# The generated parser, as its own target: its warnings are not ours to repair.
add_library(flow_expr_grammar STATIC ${CMAKE_CURRENT_LIST_DIR}/grammar/parser.c)
target_include_directories(flow_expr_grammar PRIVATE ${CMAKE_CURRENT_LIST_DIR}/grammar)
target_link_libraries(flow_expr_grammar PUBLIC flow_options)
target_compile_options(flow_expr_grammar PRIVATE -w)
target_link_libraries(${target} PRIVATE flow_expr_grammar)
