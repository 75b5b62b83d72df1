//! The tests, suites, models and files that `docs/proofs.md` names exist.

use std::collections::HashSet;

use super::Problem;
use super::tree::{File, Tree};

const PROOFS: &str = "docs/proofs.md";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let Some(proofs) = tree.file(PROOFS) else {
        return vec![Problem::new(PROOFS, 1, "the table is missing", "restore it")];
    };
    let known: HashSet<&str> = tree.rust().flat_map(names).collect();
    let mut problems = Vec::new();
    for (index, line) in proofs.text.lines().enumerate() {
        let words = named(line).flat_map(alternatives);
        for word in words.filter(|word| !exists(word, tree, &known)) {
            let what = format!("nothing is called `{word}`");
            problems.push(Problem::new(
                PROOFS,
                index + 1,
                what,
                "name a test, suite, model or file that exists",
            ));
        }
    }
    problems
}

/// What stands in code marks in the second cell of a row, which tells who asserts; elsewhere are also values and commands.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let cell = line.strip_prefix('|').and_then(|rest| rest.split('|').nth(1)).unwrap_or_default();
    let words = cell.split('`').skip(1).step_by(2);
    words.filter(|word| word.contains('/') || word.chars().all(|c| is_of_name(c) || matches!(c, '…' | '!')))
}

/// `a{b,c}` is `ab` and `ac`.
fn alternatives(word: &str) -> Vec<String> {
    let braces = word.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match braces {
        Some((before, (each, after))) => each.split(',').map(|one| format!("{before}{one}{after}")).collect(),
        None => vec![word.to_owned()],
    }
}

fn exists(word: &str, tree: &Tree, known: &HashSet<&str>) -> bool {
    if word.contains('/') {
        let folder = format!("{}/", word.trim_end_matches('/'));
        return tree.files.iter().any(|file| file.path == word || file.path.starts_with(&folder));
    }
    // `…` stands for any end, or any beginning.
    match word.split_once('…') {
        Some((before, after)) => known.iter().any(|name| name.starts_with(before) && name.ends_with(after)),
        None => known.contains(word.trim_end_matches('!')),
    }
}

/// The names of a file's functions, modules and macros, and its own.
fn names(file: &File) -> impl Iterator<Item = &str> {
    let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs"));
    stem.into_iter().chain(file.lines.iter().flat_map(|line| definitions(&line.code)))
}

fn definitions(code: &str) -> impl Iterator<Item = &str> {
    ["fn ", "mod ", "macro_rules! "].into_iter().filter_map(|keyword| {
        let rest = code.split_once(keyword)?.1;
        let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        Some(&rest[..end])
    })
}

fn is_of_name(c: char) -> bool {
    c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "//! X.\nmacro_rules! suite { () => {} }\nmod part {\nfn a_wake_is_not_lost() {}\n}\n";

    fn problems(cell: &str) -> Vec<String> {
        let proofs = format!("# Proofs\n\n| C1 | {cell} | `none` on `steal:2` | exactly |\n");
        let files = [("crates/x/tests/it/storm.rs", CODE), ("crates/x/loom.toml", ""), (PROOFS, &proofs)];
        check(&Tree::of(&files)).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn what_exists_may_be_named_also_in_part() {
        let cell = "`suite!`: `part`, `a_wake_is_not_lost`, `a_wake_…`, `…_not_lost`; `storm`; `crates/x/{loom.toml,tests/it}`, \
                    by `cargo xtask test -p x`";
        assert_eq!(problems(cell), [""; 0]);
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for cell in [
            "`another!`",
            "`a_wake_is_lost`",
            "`a_wait_…`",
            "`…_lost_twice`",
            "`calm`",
            "`crates/x/{loom.toml,src}`",
        ] {
            let wrong = problems(cell);
            assert_eq!(wrong.len(), 1, "{cell}: {wrong:?}");
            assert!(wrong[0].starts_with("docs/proofs.md:3: nothing is called `"), "{wrong:?}");
        }
    }
}
