//! Unsafe code lives in two crates, and every block and impl of it says why it is sound.

use super::Problem;
use super::tree::{File, Line, Tree, has_word};

/// The crates that may hold unsafe code; all others forbid it.
const HOMES: &[&str] = &["core", "reactor"];
const FORBID: &str = "#![forbid(unsafe_code)]";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in tree.packages.iter().filter(|package| !HOMES.contains(&package.short())) {
        let roots = package
            .targets
            .iter()
            .filter(|target| matches!(target.kind.as_str(), "lib" | "bin" | "proc-macro"));
        for file in roots.filter_map(|root| tree.file(&root.source)) {
            if !file.lines.iter().any(|line| line.code.trim() == FORBID) {
                let what = format!("no `{FORBID}`");
                problems.push(Problem::new(&file.path, 1, what, "add it below the file's own documentation"));
            }
        }
    }
    for file in tree.rust() {
        let bare = places(file).into_iter().filter(|&index| !is_explained(&file.lines, index));
        problems.extend(bare.map(|index| {
            let remedy = "say above it, in a comment that begins with `SAFETY:`, why it is sound";
            Problem::new(&file.path, index + 1, "unsafe code without a reason", remedy)
        }));
    }
    problems
}

/// The number of unsafe blocks and impls, in one line.
pub(super) fn summary(tree: &Tree) -> String {
    let counts: Vec<usize> = tree.rust().map(|file| places(file).len()).filter(|count| *count > 0).collect();
    format!("{} unsafe blocks and impls in {} files", counts.iter().sum::<usize>(), counts.len())
}

/// The same, file by file.
pub(super) fn table(tree: &Tree) -> String {
    let rows = tree.rust().map(|file| (places(file).len(), &file.path)).filter(|(count, _)| *count > 0);
    rows.map(|(count, path)| format!("{count:5}  {path}\n")).collect()
}

/// Lines with an unsafe block or impl.
fn places(file: &File) -> Vec<usize> {
    let opens = |code: &str| {
        has_word(code, "unsafe")
            && code.split("unsafe").skip(1).any(|rest| {
                let rest = rest.trim_start();
                rest.starts_with('{') || rest.starts_with("impl")
            })
    };
    file.lines.iter().enumerate().filter(|(_, line)| opens(&line.code)).map(|(index, _)| index).collect()
}

/// Whether the reason stands on the line, or above it within the same statement.
fn is_explained(lines: &[Line], index: usize) -> bool {
    if lines[index].comment.contains("SAFETY:") {
        return true;
    }
    for line in lines[..index].iter().rev() {
        let code = line.code.trim();
        if line.comment.contains("SAFETY:") && code.is_empty() {
            return true;
        }
        // An earlier statement or an open block ends the search; comments, attributes and a statement's beginning do not.
        let ends = code.ends_with([';', '{', '}', ',']) && !code.starts_with("#[");
        if ends || (code.is_empty() && line.comment.is_empty()) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Package, Target};

    fn problems(text: &str) -> usize {
        check(&Tree::of(&[("crates/core/src/a.rs", text)])).len()
    }

    #[test]
    fn unsafe_code_says_why() {
        for good in [
            "// SAFETY: it is ours.\nunsafe { f() }",
            "// SAFETY: a long\n// reason.\nlet x =\n    unsafe { f() };",
            "// SAFETY: no shared state.\n#[cfg(a)]\nunsafe impl Send for X {}",
            "unsafe fn f() {}",
            "let s = \"unsafe { }\";",
        ] {
            assert_eq!(problems(good), 0, "{good}");
        }
        for bad in [
            "unsafe { f() }",
            "// It is ours.\nunsafe { f() }",
            "// SAFETY: of the first.\nunsafe impl Send for X {}\nunsafe impl Sync for X {}",
            "// SAFETY: of g.\ng();\nunsafe { f() }",
        ] {
            assert_eq!(problems(bad), 1, "{bad}");
        }
    }

    #[test]
    fn unsafe_code_is_forbidden_outside_of_its_homes() {
        for (name, text, count) in [
            ("polyloop-net", "//! X.\n", 1),
            ("polyloop-net", "//! X.\n#![forbid(unsafe_code)]\n", 0),
            ("polyloop-core", "//! X.\n", 0),
        ] {
            let mut tree = Tree::of(&[("crates/x/src/lib.rs", text)]);
            tree.packages.push(Package {
                name: name.into(),
                version: "0.1.0".into(),
                manifest: "crates/x/Cargo.toml".into(),
                dependencies: Vec::new(),
                targets: vec![Target {
                    name: "x".into(),
                    kind: "lib".into(),
                    source: "crates/x/src/lib.rs".into(),
                }],
                has_defaults: false,
            });
            assert_eq!(check(&tree).len(), count, "{name}");
        }
    }

    #[test]
    fn blocks_and_impls_are_counted() {
        let tree =
            Tree::of(&[("a.rs", "unsafe { f() }\nunsafe impl S for X {}\nunsafe fn f() {}\n"), ("b.rs", "")]);
        assert_eq!(summary(&tree), "2 unsafe blocks and impls in 1 files");
        assert_eq!(table(&tree), "    2  a.rs\n");
    }
}
