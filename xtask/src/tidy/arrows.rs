//! Arrows between crates run one way, and a heavy dependency has one home.
//!
//! Normal and build dependencies keep to `ARROWS`. Tests may know more, because they ship with nobody: a dev-dependency may
//! also name any part, `traits` and `conformance` (so `fifo` tests with `time`'s clock), and `macros` the facade. Nothing
//! may name what stands at the top.

use super::Problem;
use super::tree::Tree;
use crate::workspace::{Dependency, Package, short};

const PARTS: &[&str] = &["core", "time", "reactor", "blocking", "fifo", "pool", "steal", "schedulers", "net"];

/// A crate, and the members it may depend on. `PARTS` stands for all of them.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("time", &["core"]),
    ("reactor", &["core"]),
    ("blocking", &["core"]),
    ("fifo", &["core", "blocking"]),
    ("net", &["core"]),
    ("pool", &["core", "blocking"]),
    ("steal", &["core", "pool"]),
    ("schedulers", &["core"]),
    ("macros", &[]),
    ("traits", &[]),
    // Stands alone, so that it is of use around any runtime.
    ("detect", &[]),
    // As the one above.
    ("timeline", &[]),
    ("conformance", &["core", "traits"]),
    ("polyloop", &["PARTS", "traits", "macros"]),
    ("trpl", &["polyloop", "timeline"]),
    ("book", &["polyloop", "trpl", "timeline"]),
    ("lab", &["polyloop", "traits", "timeline"]),
    // These two hold nothing but tests and benches, so what they know is known to nobody else.
    ("tests", &["PARTS", "traits", "macros", "polyloop", "conformance", "detect", "trpl", "lab"]),
    ("benches", &["PARTS", "traits", "polyloop"]),
    ("xtask", &[]),
];

/// Where the ecosystem's tests are, and what each of them may know besides its siblings: what a stranger may.
const ECOSYSTEM: (&str, &[&str]) =
    ("tests/ecosystem/", &["polyloop", "traits", "conformance", "trpl", "book"]);

/// What every crate's tests may know besides.
const FOR_TESTS: &[&str] = &["PARTS", "traits", "conformance"];

/// An outside crate, and the only members that may name it.
const FENCES: &[(&str, &[&str])] = &[
    ("mio", &["reactor"]),
    ("polling", &["reactor"]),
    ("crossbeam-deque", &["steal"]),
    // The facade implements its trait, behind a feature.
    ("criterion", &["benches", "polyloop", "spawn"]),
];

/// The only condition under which loom may be a dependency.
const LOOM: &str = "cfg(polyloop_loom)";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let members: Vec<&str> = tree.packages.iter().map(|package| package.name.as_str()).collect();
    let siblings = tree.packages.iter().filter(|package| is_ecosystem(package)).map(Package::short);
    let ecosystem: Vec<&str> = ECOSYSTEM.1.iter().copied().chain(siblings).collect();
    for package in &tree.packages {
        let own = || ARROWS.iter().find(|(name, _)| *name == package.short()).map(|(_, allowed)| *allowed);
        let shared = is_ecosystem(package).then_some(ecosystem.as_slice());
        let Some(allowed) = shared.or_else(own) else {
            let remedy = "add its arrows to xtask/src/tidy/arrows.rs";
            problems.push(Problem::new(&package.manifest, 1, "a crate without a place in the house", remedy));
            continue;
        };
        for dependency in &package.dependencies {
            let inside = members.contains(&dependency.name.as_str());
            let wrong = if inside { arrow(package, allowed, dependency) } else { fence(package, dependency) };
            if let Some((what, remedy)) = wrong {
                let line = line_of(tree, package, &dependency.name);
                problems.push(Problem::new(&package.manifest, line, what, remedy));
            }
        }
    }
    problems
}

fn is_ecosystem(package: &Package) -> bool {
    package.manifest.starts_with(ECOSYSTEM.0)
}

fn arrow(package: &Package, allowed: &[&str], dependency: &Dependency) -> Option<(String, String)> {
    let (from, to) = (package.short(), short(&dependency.name));
    let for_tests = dependency.dev && (in_list(FOR_TESTS, to) || (from, to) == ("macros", "polyloop"));
    if in_list(allowed, to) || for_tests {
        return None;
    }
    let known = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    Some((
        format!("`{from}` may not depend on `{to}`"),
        format!("it may know {known}; let them meet as type parameters in the facade"),
    ))
}

fn fence(package: &Package, dependency: &Dependency) -> Option<(String, String)> {
    if dependency.name == "loom" && dependency.target.as_deref() != Some(LOOM) {
        let remedy = format!("put it under [target.'{LOOM}'.dependencies]");
        return Some(("loom outside of its cfg".to_owned(), remedy));
    }
    let (name, homes) = FENCES.iter().find(|(name, _)| *name == dependency.name)?;
    if homes.contains(&package.short()) {
        return None;
    }
    Some((format!("`{name}` has its home in {}", homes.join(", ")), "reach it through that crate".to_owned()))
}

fn in_list(list: &[&str], name: &str) -> bool {
    list.contains(&name) || (list.contains(&"PARTS") && PARTS.contains(&name))
}

fn line_of(tree: &Tree, package: &Package, name: &str) -> usize {
    let text = tree.file(&package.manifest).map_or("", |file| &file.text);
    let is_key = |line: &str| {
        let rest = line.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    text.lines().position(is_key).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, bool, Option<&str>)]) -> Package {
        let dependency = |(name, dev, target): &(&str, bool, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            dev: *dev,
            target: target.map(str::to_owned),
        };
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: dependencies.iter().map(dependency).collect(),
            targets: Vec::new(),
            has_defaults: false,
        }
    }

    fn problems(from: &str, dependencies: &[(&str, bool, Option<&str>)]) -> Vec<String> {
        let others =
            ["polyloop-core", "polyloop-time", "polyloop-lab", "polyloop"].map(|name| package(name, &[]));
        let mut tree = Tree { packages: others.into(), ..Tree::default() };
        tree.packages.push(package(from, dependencies));
        check(&tree).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn arrows_run_one_way() {
        assert!(problems("polyloop-fifo", &[("polyloop-core", false, None)]).is_empty());
        let wrong = problems("polyloop-fifo", &[("polyloop-time", false, None)]);
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].contains("`fifo` may not depend on `time`"), "{wrong:?}");
    }

    #[test]
    fn tests_may_know_siblings_but_not_the_top() {
        assert!(problems("polyloop-fifo", &[("polyloop-time", true, None)]).is_empty());
        assert_eq!(problems("polyloop-fifo", &[("polyloop-lab", true, None)]).len(), 1);
        assert_eq!(problems("polyloop-fifo", &[("polyloop", true, None)]).len(), 1);
        assert!(problems("polyloop-macros", &[("polyloop", true, None)]).is_empty());
    }

    #[test]
    fn fenced_crates_stay_at_home() {
        assert!(problems("polyloop-reactor", &[("mio", false, None)]).is_empty());
        assert_eq!(problems("polyloop-net", &[("mio", false, None)]).len(), 1);
        assert!(problems("polyloop-pool", &[("loom", false, Some(LOOM))]).is_empty());
        assert_eq!(problems("polyloop-pool", &[("loom", true, None)]).len(), 1);
    }

    #[test]
    fn the_ecosystem_knows_what_a_stranger_may() {
        let packages = vec![package("polyloop-core", &[]), package("polyloop", &[])];
        let mut tree = Tree { packages, ..Tree::default() };
        for name in ["ecosystem-http", "ecosystem-support"] {
            let known = ["polyloop", "ecosystem-support", "hyper"].map(|name| (name, false, None));
            let mut member = package(name, &known);
            member.manifest = format!("tests/ecosystem/{name}/Cargo.toml");
            tree.packages.push(member);
        }
        // Both are at their places; the facade's own are for the others above.
        let found =
            |tree: &Tree| check(tree).iter().filter(|problem| problem.path.contains("ecosystem")).count();
        assert_eq!(found(&tree), 0);
        tree.packages[2].dependencies[0].name = "polyloop-core".into();
        assert_eq!(found(&tree), 1);
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        assert!(problems("polyloop-new", &[])[0].contains("without a place"));
    }
}
