//! Every loom model has a mutant that it must fail on, and every mutant in the code has a model that must see it.

use super::Problem;
use super::tree::{File, Tree};
use crate::models;

const MUTANT: &str = "polyloop_mutant = \"";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut folders: Vec<&str> = tree.files.iter().filter_map(|file| folder(&file.path)).collect();
    folders.sort_unstable();
    folders.dedup();
    folders.into_iter().flat_map(|folder| crate_models(tree, folder)).collect()
}

/// `crates/name/` of a path below it.
fn folder(path: &str) -> Option<&str> {
    let name = path.strip_prefix("crates/")?.split_once('/')?.0;
    path.get(.."crates/".len() + name.len() + 1)
}

fn crate_models(tree: &Tree, folder: &str) -> Vec<Problem> {
    let list = format!("{folder}loom.toml");
    let pairs = match tree.file(&list).map(|file| models::read(&file.text)) {
        Some(Ok(pairs)) => pairs,
        Some(Err((line, what))) => {
            let remedy = "write `[[model]]` with `name` and `mutant`";
            return vec![Problem::new(&list, line, what, remedy)];
        }
        None => Vec::new(),
    };
    let sources = || tree.rust().filter(|file| file.path.starts_with(folder));
    let tests: Vec<Found<'_>> = sources().flat_map(model_tests).collect();
    let mutants: Vec<Found<'_>> = sources().flat_map(mutants).collect();
    let mut problems = Vec::new();
    for test in tests.iter().filter(|test| !pairs.iter().any(|pair| pair.model == test.name)) {
        let what = format!("the model `{}` has no mutant", test.name);
        problems.push(Problem::new(test.path, test.line, what, format!("pair it with one in {list}")));
    }
    for mutant in mutants.iter().filter(|mutant| !pairs.iter().any(|pair| pair.mutant == mutant.name)) {
        let what = format!("no model is said to see the mutant `{}`", mutant.name);
        problems.push(Problem::new(
            mutant.path,
            mutant.line,
            what,
            format!("pair it with a model in {list}"),
        ));
    }
    for pair in &pairs {
        if !tests.iter().any(|test| test.name == pair.model) {
            let what = format!("there is no model `{}`", pair.model);
            problems.push(Problem::new(
                &list,
                pair.line,
                what,
                "write `fn` of that name, or remove the entry",
            ));
        }
        if !mutants.iter().any(|mutant| mutant.name == pair.mutant) {
            let what = format!("there is no mutant `{}` in this crate", pair.mutant);
            let remedy = "put `cfg(polyloop_mutant = \"…\")` beside the line it breaks, or remove the entry";
            problems.push(Problem::new(&list, pair.line, what, remedy));
        }
    }
    problems
}

/// A name and where it stands.
struct Found<'a> {
    path: &'a str,
    line: usize,
    name: &'a str,
}

/// Functions named `loom_…`.
fn model_tests(file: &File) -> Vec<Found<'_>> {
    let names = file.lines.iter().enumerate().filter_map(|(index, line)| {
        let rest = line.code.split_once("fn loom_")?.1;
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let start = line.code.find("loom_")?;
        Some(Found {
            path: &file.path,
            line: index + 1,
            name: &line.code[start..start + "loom_".len() + length],
        })
    });
    names.collect()
}

/// Mutants named in a `cfg`. Strings are blank in the code, so the name comes from the text.
fn mutants(file: &File) -> Vec<Found<'_>> {
    let mut found: Vec<Found<'_>> = Vec::new();
    for (index, (line, text)) in file.lines.iter().zip(file.text.lines()).enumerate() {
        if !line.code.contains(MUTANT) {
            continue;
        }
        for rest in text.split(MUTANT).skip(1) {
            let name = rest.split('"').next().unwrap_or(rest);
            if !found.iter().any(|other| other.name == name) {
                found.push(Found { path: &file.path, line: index + 1, name });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "//! X.\n#[cfg(not(polyloop_mutant = \"m\"))]\nf();\nfn loom_a() {}\n";
    const LIST: &str = "[[model]]\nname = \"loom_a\"\nmutant = \"m\"\n";

    fn problems(code: &str, list: Option<&str>) -> Vec<String> {
        let mut files = vec![("crates/x/src/a.rs", code)];
        files.extend(list.map(|list| ("crates/x/loom.toml", list)));
        check(&Tree::of(&files)).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn models_and_mutants_come_in_pairs() {
        assert!(problems(CODE, Some(LIST)).is_empty());
        assert!(problems("//! `polyloop_mutant = \"x\"` in a comment.\n", None).is_empty());
    }

    #[test]
    fn a_model_without_a_mutant_is_refused() {
        let wrong = problems("fn loom_a() {}\n", None);
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].starts_with("crates/x/src/a.rs:1: the model `loom_a` has no mutant"), "{wrong:?}");
        // The model is listed, but its mutant is nowhere.
        assert_eq!(problems("fn loom_a() {}\n", Some(LIST)).len(), 1);
    }

    #[test]
    fn a_mutant_without_a_model_is_refused() {
        assert_eq!(problems("#[cfg(polyloop_mutant = \"m\")]\n", None).len(), 1);
        assert_eq!(problems("#[cfg(polyloop_mutant = \"m\")]\n", Some(LIST)).len(), 1);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_refused() {
        assert_eq!(problems(CODE, Some("[[model]]\nname = \"loom_a\"\n")).len(), 1);
    }
}
