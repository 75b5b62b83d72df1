//! The tests that `docs/bug-catalogue.md` names exist.

use super::Problem;
use super::tree::Tree;

const CATALOGUE: &str = "docs/bug-catalogue.md";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let Some(catalogue) = tree.file(CATALOGUE) else {
        return vec![Problem::new(CATALOGUE, 1, "there is no catalogue of bugs", "restore it")];
    };
    // Some are made by macros from the names of their suites' functions, which are found as well.
    let sources: Vec<&str> = tree.rust().map(|file| file.text.as_str()).collect();
    let mut problems = Vec::new();
    for (index, line) in catalogue.text.lines().enumerate() {
        for name in line.split('`').skip(1).step_by(2).filter(|word| is_name(word)) {
            let defined = format!("fn {name}");
            if !sources.iter().any(|source| source.contains(&defined)) {
                let what = format!("no test is called `{name}`");
                problems.push(Problem::new(CATALOGUE, index + 1, what, "name the test that finds this bug"));
            }
        }
    }
    problems
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
    fn names_of_tests_are_told_from_other_code() {
        assert!(is_name("bug_07_one_spawn_wakes_no_herd"));
        for other in ["block_on", "select!", "Duration::MAX", "crates/core/src/task/refusals.rs", "loom_…"]
        {
            assert!(!is_name(other), "{other}");
        }
    }
}
