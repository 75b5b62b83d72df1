//! Lints, versions and reasons stand in one place for the whole workspace.

use super::Problem;
use super::tree::{File, Tree};
use crate::toml::{self, Entry};

/// The manifests of the two workspaces. Others are templates and examples for strangers.
const ROOTS: [&str; 2] = ["Cargo.toml", "tests/ecosystem/Cargo.toml"];
/// Projects to begin with. They are a stranger's, and say for themselves what they need.
const TEMPLATES: &str = "templates/";

/// Where each outside dependency has its line.
const REASONS: &str = "docs/dependencies.md";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut roots = Vec::new();
    let manifests = tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    for file in manifests.filter(|file| !file.path.starts_with(TEMPLATES)) {
        let entries = toml::entries(&file.text);
        if entries.iter().any(|entry| entry.table.starts_with("workspace")) {
            if ROOTS.contains(&file.path.as_str()) {
                roots.push((file, entries));
            }
        } else if entries.iter().any(|entry| entry.table == "package") {
            problems.extend(member(file, &entries));
        }
    }
    problems.extend(reasons(tree, &roots));
    problems
}

fn member(file: &File, entries: &[Entry]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let lints = |entry: &Entry| entry.table == "lints" && entry.key == "workspace" && entry.value == "true";
    if !entries.iter().any(lints) {
        let what = "no `[lints] workspace = true`";
        problems.push(Problem::new(&file.path, 1, what, "add it, so that the workspace's lints hold here"));
    }
    for entry in entries {
        let (kind, single) = match entry.table.rsplit_once('.') {
            Some((before, _)) if before.ends_with("dependencies") => (before, true),
            _ => (entry.table.as_str(), false),
        };
        // `[dependencies.name]` spreads one dependency over several entries; only its version must not be there.
        let own_version = if single {
            matches!(entry.key.as_str(), "version" | "path" | "git")
        } else {
            let inherits = entry.key.ends_with(".workspace") || entry.value.contains("workspace = true");
            kind.ends_with("dependencies") && !inherits
        };
        if own_version {
            let what = format!("`{}` has its version here", entry.key);
            let remedy =
                "put it in the root's [workspace.dependencies] and inherit it with `workspace = true`";
            problems.push(Problem::new(&file.path, entry.line, what, remedy));
        }
    }
    problems
}

/// Each outside dependency has one line in the table of reasons, and each line a dependency.
fn reasons(tree: &Tree, roots: &[(&File, Vec<Entry>)]) -> Vec<Problem> {
    if roots.is_empty() {
        return Vec::new();
    }
    let outside = |entry: &&Entry| entry.table == "workspace.dependencies" && !entry.value.contains("path =");
    let names: Vec<(&str, &Entry)> = roots
        .iter()
        .flat_map(|(root, entries)| entries.iter().filter(outside).map(|entry| (root.path.as_str(), entry)))
        .collect();
    let Some(file) = tree.file(REASONS) else {
        return vec![Problem::new(
            REASONS,
            1,
            "it is missing",
            "write one line per dependency: name, why, upkeep",
        )];
    };
    let lines = file.text.lines().enumerate();
    let listed: Vec<(usize, &str)> =
        lines.filter_map(|(index, line)| Some((index + 1, row(line)?))).collect();
    let mut problems = Vec::new();
    for (root, entry) in &names {
        if !listed.iter().any(|(_, name)| *name == entry.key) {
            let what = format!("`{}` has no line in {REASONS}", entry.key);
            problems.push(Problem::new(root, entry.line, what, "add one: name, why, upkeep"));
        }
    }
    for (line, name) in listed {
        if !names.iter().any(|(_, entry)| entry.key == name) {
            let what = format!("`{name}` is no dependency of the workspace");
            problems.push(Problem::new(REASONS, line, what, "remove its line"));
        }
    }
    problems
}

/// The name in a table row that begins with one: | `name` | … |
fn row(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"x\"\n[lints]\nworkspace = true\n[dependencies]\na.workspace = true\n\
                        b = { workspace = true, features = [\"c\"] }\n";

    fn count(files: &[(&str, &str)]) -> usize {
        check(&Tree::of(files)).len()
    }

    #[test]
    fn lints_are_inherited() {
        assert_eq!(count(&[("crates/x/Cargo.toml", GOOD)]), 0);
        let without = GOOD.replace("[lints]\nworkspace = true\n", "");
        assert_eq!(count(&[("crates/x/Cargo.toml", &without)]), 1);
    }

    #[test]
    fn versions_are_inherited() {
        for bad in ["c = \"1\"", "c = { version = \"1\" }", "c = { path = \"../c\" }"] {
            assert_eq!(count(&[("crates/x/Cargo.toml", &format!("{GOOD}{bad}\n"))]), 1, "{bad}");
        }
        let spread = format!("{GOOD}[dev-dependencies.c]\nworkspace = true\n");
        assert_eq!(count(&[("crates/x/Cargo.toml", &spread)]), 0);
        assert_eq!(count(&[("crates/x/Cargo.toml", &format!("{spread}version = \"1\"\n"))]), 1);
    }

    #[test]
    fn every_dependency_has_its_reason() {
        let root = "[workspace]\n[workspace.dependencies]\na = \"1\"\nours = { path = \"x\" }\n";
        assert_eq!(count(&[("Cargo.toml", root), (REASONS, "# D\n| `a` | why | upkeep |\n")]), 0);
        assert_eq!(count(&[("Cargo.toml", root), (REASONS, "# D\n")]), 1);
        assert_eq!(count(&[("Cargo.toml", root), (REASONS, "# D\n| `a` | w | u |\n| `b` | w | u |\n")]), 1);
        assert_eq!(count(&[("Cargo.toml", root)]), 1);
        let other = ("tests/ecosystem/Cargo.toml", "[workspace]\n[workspace.dependencies]\nb = \"1\"\n");
        let both = (REASONS, "# D\n| `a` | w | u |\n| `b` | w | u |\n");
        assert_eq!(count(&[("Cargo.toml", root), other, both]), 0);
        assert_eq!(count(&[("Cargo.toml", root), other, (REASONS, "# D\n| `a` | w | u |\n")]), 1);
    }
}
