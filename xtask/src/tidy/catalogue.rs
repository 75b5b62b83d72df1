//! The tests that `docs/bug-catalogue.md` and `docs/feature-table.md` name exist, and the latter claims nothing without one.

use super::Problem;
use super::tree::Tree;

const CATALOGUE: &str = "docs/bug-catalogue.md";
const FEATURES: &str = "docs/feature-table.md";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    // Some are made by macros from the names of their suites' functions, which are found as well.
    let sources: Vec<&str> = tree.rust().map(|file| file.text.as_str()).collect();
    let mut problems = Vec::new();
    for path in [CATALOGUE, FEATURES] {
        let Some(table) = tree.file(path) else {
            problems.push(Problem::new(path, 1, "the table is missing", "restore it"));
            continue;
        };
        for (index, line) in table.text.lines().enumerate() {
            let mut say = |what, remedy| problems.push(Problem::new(path, index + 1, what, remedy));
            for name in names(line) {
                // With what follows, or a name that begins like another one would pass.
                let defined = [format!("fn {name}("), format!("fn {name}<")];
                if !sources.iter().any(|source| defined.iter().any(|defined| source.contains(defined))) {
                    say(format!("no test is called `{name}`"), "name a test that exists");
                }
            }
            if path == FEATURES && claims(line) && names(line).next().is_none() {
                say("a claim without a test".to_owned(), "name the test that holds it");
            }
        }
    }
    problems
}

fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|word| is_name(word))
}

/// Whether our cell of a row of the feature table, the second one, says that there is something.
fn claims(line: &str) -> bool {
    let ours = line.strip_prefix('|').and_then(|rest| rest.split('|').nth(1)).map(str::trim);
    ours.is_some_and(|ours| ["yes", "partly"].iter().any(|claim| ours.starts_with(claim)))
}

/// A test's name, and no macro, file or value.
fn is_name(word: &str) -> bool {
    word.matches('_').count() >= 2
        && word.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_our_cell_alone() {
        assert!(claims("| a thing | yes: `a_test_of_it` | no |") && claims("| a thing | partly | no |"));
        for other in ["| a thing | no | yes |", "|---|---|", "yes", "| | polyloop | tokio |"] {
            assert!(!claims(other), "{other}");
        }
        assert_eq!(names("| x | yes: `a_test_of_it`, `select!` | `one_of_theirs_too` |").count(), 2);
    }

    #[test]
    fn names_of_tests_are_told_from_other_code() {
        assert!(is_name("bug_07_one_spawn_wakes_no_herd"));
        for other in ["block_on", "select!", "Duration::MAX", "crates/core/src/task/refusals.rs", "loom_…"]
        {
            assert!(!is_name(other), "{other}");
        }
    }
}
