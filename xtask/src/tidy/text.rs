//! Lines are short, end where their text ends, and name no one's machine.

use super::Problem;
use super::tree::{File, Tree};

/// Long enough for a sentence, short enough for two windows side by side.
const WIDTH: usize = 140;
/// Files that people read line by line; prose and pages flow into the window they are read in.
const NARROW: &[&str] = &["rs", "toml", "sh"];
/// First parts of paths that exist on one machine only.
const MACHINE: &[&str] = &["home", "root", "work", "tmp", "Users"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    tree.files.iter().flat_map(file).collect()
}

fn file(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    let narrow = NARROW.iter().any(|extension| file.is(extension));
    for (index, line) in file.text.lines().enumerate() {
        let mut problem = |what: String, remedy: &str| {
            problems.push(Problem::new(&file.path, index + 1, what, remedy));
        };
        if line.ends_with([' ', '\t']) {
            problem("a trailing blank".into(), "remove it");
        }
        let length = line.chars().count();
        if narrow && length > WIDTH && !has_address(line) {
            problem(format!("{length} characters in a line"), "break it; 140 is the limit");
        }
        if let Some(name) = MACHINE.iter().find(|name| names_machine(line, name)) {
            problem(
                format!("an absolute path below `{name}`"),
                "use a path relative to the workspace, or `temp_dir`",
            );
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        problems.push(Problem::new(
            &file.path,
            file.text.lines().count(),
            "no newline at the end",
            "add one",
        ));
    }
    problems
}

/// An address cannot be broken.
fn has_address(line: &str) -> bool {
    line.contains("://")
}

/// Whether `/name/` begins a path here: nothing of a path or an address stands before it.
fn names_machine(line: &str, name: &str) -> bool {
    let path = format!("/{name}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| {
            c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '~' | '}' | '*' | '>')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn lines_end_where_their_text_ends() {
        assert_eq!(problems("a.md", "# A\n"), 0);
        assert_eq!(problems("a.md", "# A \n"), 1);
        assert_eq!(problems("a.md", "# A"), 1);
    }

    #[test]
    fn lines_are_short() {
        let (fits, long) = ("x".repeat(140), "x".repeat(141));
        assert_eq!(problems("a.rs", &format!("{fits}\n")), 0);
        assert_eq!(problems("a.rs", &format!("{long}\n")), 1);
        assert_eq!(problems("a.html", &format!("{long}\n")), 0);
        assert_eq!(problems("a.md", &format!("{long}\n")), 0);
        assert_eq!(problems("a.rs", &format!("// https://example.org/{long}\n")), 0);
    }

    #[test]
    fn no_path_of_a_machine() {
        for name in MACHINE {
            assert_eq!(problems("a.rs", &format!("open(\"/{name}/x\")\n")), 1);
            assert_eq!(problems("a.rs", &format!("https://example.org/{name}/x\n")), 0);
            assert_eq!(problems("a.rs", &format!("src/{name}/x and ./{name}/x\n")), 0);
        }
    }
}
