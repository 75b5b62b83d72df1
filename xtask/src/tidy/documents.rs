//! Documents have titles, design records are numbered without gaps, and the release notes know the current version.

use super::Problem;
use super::tree::Tree;

const CHANGES: &str = "CHANGELOG.md";
const DESIGN: &str = "docs/design/";
/// What the README tells a newcomer to run, and CI runs.
const TEST: &str = "cargo xtask test";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| file.is("md")) {
        if !file.text.starts_with("# ") {
            problems.push(Problem::new(&file.path, 1, "no title", "begin with a line `# …`"));
        }
    }
    problems.extend(numbering(tree));
    problems.extend(version(tree));
    if let Some(readme) = tree.file("README.md").filter(|readme| !readme.text.contains(TEST)) {
        let remedy = format!("name `{TEST}`, which is what CI runs");
        problems.push(Problem::new(&readme.path, 1, "no test command", remedy));
    }
    problems
}

/// `docs/design/0001-….md`, `0002-….md` and so on. Other files there are not numbered and not meant.
fn numbering(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut expected = 1;
    let records = tree.files.iter().filter_map(|file| {
        let name = file.path.strip_prefix(DESIGN)?;
        Some((&file.path, name.get(..4)?.parse::<u32>().ok()?))
    });
    let mut records: Vec<_> = records.collect();
    records.sort();
    for (path, number) in records {
        if number != expected {
            let what = format!("the record is number {number:04}, and {expected:04} is next");
            problems.push(Problem::new(
                path,
                1,
                what,
                "number the records 0001, 0002, … without gap or double",
            ));
        }
        expected = number + 1;
    }
    problems
}

fn version(tree: &Tree) -> Vec<Problem> {
    let (Some(changes), Some(package)) = (tree.file(CHANGES), tree.packages.first()) else {
        return Vec::new();
    };
    let version = package.version.as_str();
    let is_heading = |line: &str| {
        let rest = line.strip_prefix("## ").map(|rest| rest.trim_start_matches('['));
        rest.and_then(|rest| rest.strip_prefix(version)).is_some_and(|rest| !rest.starts_with(['.', '-']))
    };
    if changes.text.lines().any(is_heading) {
        return Vec::new();
    }
    let remedy = format!("add `## {version}` with what changed");
    vec![Problem::new(CHANGES, 1, format!("no heading for version {version}"), remedy)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Package;

    fn count(files: &[(&str, &str)]) -> usize {
        check(&Tree::of(files)).len()
    }

    #[test]
    fn documents_have_titles() {
        assert_eq!(count(&[("docs/a.md", "# A\n")]), 0);
        assert_eq!(count(&[("docs/a.md", "A\n")]), 1);
    }

    #[test]
    fn design_records_have_no_gaps() {
        let (one, two, three) = ("docs/design/0001-a.md", "docs/design/0002-b.md", "docs/design/0003-c.md");
        assert_eq!(count(&[(one, "# A\n"), (two, "# B\n"), ("docs/design/README.md", "# R\n")]), 0);
        assert_eq!(count(&[(one, "# A\n"), (three, "# C\n")]), 1);
        assert_eq!(count(&[(one, "# A\n"), ("docs/design/0001-b.md", "# B\n")]), 1);
    }

    #[test]
    fn the_readme_names_the_test_command() {
        assert_eq!(count(&[("README.md", "# R\n\n    cargo xtask test\n")]), 0);
        assert_eq!(count(&[("README.md", "# R\n")]), 1);
    }

    #[test]
    fn the_release_notes_know_the_version() {
        for (text, expected) in [
            ("# C\n\n## [0.1.0] (not released)\n", 0),
            ("# C\n\n## 0.1.0\n", 0),
            ("# C\n\n## 0.1.0-rc.1\n", 1),
            ("# C\n", 1),
        ] {
            let mut tree = Tree::of(&[(CHANGES, text)]);
            tree.packages.push(Package {
                name: "polyloop".into(),
                version: "0.1.0".into(),
                manifest: "Cargo.toml".into(),
                dependencies: Vec::new(),
                targets: Vec::new(),
                has_defaults: false,
            });
            assert_eq!(check(&tree).len(), expected, "{text}");
        }
    }
}
