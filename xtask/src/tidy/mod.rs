//! What the compiler cannot see about the workspace: who may know whom, and how a file must look.
//!
//! Each rule is one function from the tree to its problems. A problem says where, what is wrong and what to do.

mod arrows;
mod catalogue;
mod code;
mod documents;
mod manifests;
mod models;
mod proofs;
mod text;
mod tree;
mod unsafety;

use std::fmt;

use crate::args::Args;
use crate::stop::Stop;
pub(crate) use tree::Tree;

const HELP: &str = "\
Checks what the compiler cannot: the arrows between crates, manifests, the beginning and form of sources, safety
comments, loom models with their mutants, and documents. Every finding is `path:line: what is wrong; what to do`.

Usage: cargo xtask tidy [--unsafe]

  --unsafe  also print how many unsafe blocks and impls each file has

Example: cargo xtask tidy --unsafe
";

type Rule = (&'static str, fn(&Tree) -> Vec<Problem>);

const RULES: &[Rule] = &[
    ("arrows", arrows::check),
    ("manifests", manifests::check),
    ("code", code::check),
    ("unsafe", unsafety::check),
    ("text", text::check),
    ("models", models::check),
    ("catalogue", catalogue::check),
    ("proofs", proofs::check),
    ("documents", documents::check),
];

/// One finding.
#[derive(Debug, PartialEq)]
struct Problem {
    path: String,
    line: usize,
    what: String,
    remedy: String,
}

impl Problem {
    fn new(path: &str, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.what, self.remedy)
    }
}

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &["--unsafe"], &[])?;
    args.nothing_else()?;
    let tree = Tree::load()?;
    if args.flag("--unsafe") {
        print!("{}", unsafety::table(&tree));
    }
    let mut problems: Vec<Problem> = RULES.iter().flat_map(|(_, check)| check(&tree)).collect();
    problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        return Err(Stop::Failed(match problems.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        }));
    }
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.0).collect();
    println!(
        "tidy: {} files in order ({}); {}",
        tree.files.len(),
        rules.join(", "),
        unsafety::summary(&tree)
    );
    Ok(())
}
