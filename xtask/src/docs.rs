//! Documentation builds without a warning, and a link from one file to another leads somewhere.

use std::path::Path;

use crate::args::Args;
use crate::exec;
use crate::stop::Stop;
use crate::tidy::Tree;

const HELP: &str = "\
Builds the documentation of all members, private items apart, with warnings as errors, and checks that every relative
link in a Markdown file names a file that exists.

Usage: cargo xtask docs [--open]

  --open  show it in the browser afterwards

Example: cargo xtask docs --open
";

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &["--open"], &[])?;
    args.nothing_else()?;
    links()?;
    let mut cargo = exec::cargo(&["doc", "--workspace", "--no-deps"]);
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    // The workspace switches features on that an author who takes one crate may not have.
    let mut bare = exec::cargo(&["doc", "-p", "polyloop-traits", "--no-default-features", "--no-deps"]);
    exec::check(bare.env("RUSTDOCFLAGS", "-D warnings"))?;
    if args.flag("--open") {
        cargo.arg("--open");
    }
    exec::check(&mut cargo)
}

fn links() -> Result<(), Stop> {
    let tree = Tree::load()?;
    let (root, mut dead) = (exec::root(), 0);
    for file in tree.files.iter().filter(|file| file.is("md")) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for (line, target) in targets(&file.text) {
            if !root.join(folder).join(target).exists() {
                println!("{}:{line}: the link to `{target}` is dead; mend it or write the file", file.path);
                dead += 1;
            }
        }
    }
    if dead == 0 { Ok(()) } else { Err(Stop::Failed(format!("{dead} dead links"))) }
}

/// The files that a Markdown text links to, with the line of each link. Addresses and places in the same file are no files.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains(':') {
                found.push((index + 1, target));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_from_addresses() {
        let text = "[a](docs/a.md) [b](https://example.org) [c](#c)\n```\n[d](d.md)\n```\n[e](e.md#f)";
        assert_eq!(targets(text), [(1, "docs/a.md"), (5, "e.md")]);
    }
}
