// generate - the tree-sitter generator for one grammar: `generate OUT-FOLDER GRAMMAR.js`.
//
// ABI 14 is what libtree-sitter 0.20 reads. node evaluates the grammar.
use std::path::Path;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().expect("usage: generate OUT-FOLDER GRAMMAR.js");
    let grammar = arguments.next().expect("usage: generate OUT-FOLDER GRAMMAR.js");
    if let Err(error) = tree_sitter_generate::generate_parser_in_directory(
        Path::new(&out),
        Some(&out),
        Some(&grammar),
        14,
        None,
        Some("node"),
    ) {
        eprintln!("generate: {error}");
        std::process::exit(1);
    }
}
