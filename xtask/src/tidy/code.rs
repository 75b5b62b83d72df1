//! A source opens with its purpose and holds nothing unfinished.

use super::Problem;
use super::tree::{File, Tree, has_word};

/// Macros that mark unfinished work.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// Attributes that hide something, and what to do instead.
const HIDING: &[(&str, &str)] = &[
    ("[ignore", "let the test run, skip itself with a reason, or go"),
    ("allow(", "use #[expect(lint, reason = \"…\")]"),
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.rust() {
        if !file.text.starts_with("//!") {
            let remedy = "open with `//!`: the invariant, then what the file is for";
            problems.push(Problem::new(&file.path, 1, "the file does not say what it is for", remedy));
        }
        problems.extend(unfinished(file));
    }
    problems
}

fn unfinished(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, line) in file.lines.iter().enumerate() {
        for word in UNFINISHED.iter().filter(|word| has_word(&line.code, word)) {
            problems.push(Problem::new(
                &file.path,
                index + 1,
                format!("`{word}`"),
                "finish it or take it out",
            ));
        }
        let attribute = line.code.trim_start();
        if !attribute.starts_with('#') {
            continue;
        }
        for (word, remedy) in HIDING {
            // A script for a process of its own is run by the tests that start the process, and says so.
            let is_script = file.text.lines().nth(index).is_some_and(|line| line.contains("run it"));
            if has_word(attribute, word) && !is_script {
                let what = format!("an attribute with `{}`", word.trim_matches(['[', '(']));
                problems.push(Problem::new(&file.path, index + 1, what, *remedy));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, code: &str) -> Vec<String> {
        let text = format!("//! What it is for.\n{code}\n");
        check(&Tree::of(&[(path, &text)])).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(check(&Tree::of(&[("a.rs", "//! Why.\n")])), []);
        assert_eq!(check(&Tree::of(&[("a.rs", "fn main() {}\n")])).len(), 1);
    }

    #[test]
    fn nothing_is_unfinished_or_hidden() {
        for bad in [
            "todo!()",
            "unimplemented!()",
            "dbg!(x)",
            "#[ignore]",
            "#[ignore = \"slow\"]",
            "#![allow(x)]",
            "#[allow(dead_code)]",
            "#[cfg_attr(test, allow(x))]",
        ] {
            assert_eq!(problems("crates/x/src/a.rs", bad).len(), 1, "{bad}");
        }
        for good in [
            "\"todo!()\"",
            "// todo!() is refused",
            "#[expect(x)]",
            "#[cfg_attr(miri, ignore)]",
            "#[ignore = \"the tests below run it\"]",
            "disallow(x)",
        ] {
            assert!(problems("crates/x/src/a.rs", good).is_empty(), "{good}");
        }
    }
}
