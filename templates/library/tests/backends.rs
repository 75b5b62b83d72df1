//! That the tests which `all` makes, and what `for_each_combination!` calls a macro with, are those of the backends that were compiled
//! in: no more, so that each of them can run, and no fewer.

use runtime::{Combination, Runtime};
use std::collections::BTreeSet;
use std::process::Command;

/// By the features of this crate, in the order in which the default prefers them.
fn reactors() -> Vec<&'static str> {
    let built = [("mio", cfg!(feature = "mio")), ("polling", cfg!(feature = "polling")), ("poll", true)];
    built.into_iter().filter(|(_, is_built)| *is_built).map(|(name, _)| name).collect()
}

/// What is promised: `fifo` and `steal` with every reactor and timer queue, the others with those of the default.
fn promised() -> Vec<String> {
    let mut names = Vec::new();
    for executor in ["fifo", "steal"] {
        for reactor in reactors() {
            names.extend(["wheel", "heap"].map(|timers| format!("{executor}+{reactor}+{timers}")));
        }
    }
    names.extend(
        ["global", "percore", "fair", "edf"].map(|executor| format!("{executor}+{}+wheel", reactors()[0])),
    );
    names
}

macro_rules! table {
    ($(($id:ident $name:literal))* => $ids:ident $names:ident) => {
        const $ids: &[&str] = &[$(stringify!($id)),*];
        const $names: &[&str] = &[$($name),*];
    };
}
runtime::for_each_combination!(table, IDS NAMES);

#[runtime::test(all, crate = runtime)]
async fn runs() {}

#[test]
fn the_combinations_are_those_of_the_features() {
    assert_eq!(NAMES, promised());
    assert_eq!(Combination::ALL.map(|combination| combination.to_string()).as_slice(), NAMES);
    assert_eq!(Combination::default().to_string(), format!("steal+{}+wheel", reactors()[0]));
}

#[test]
fn the_tests_are_those_of_the_combinations() {
    let listed = Command::new(std::env::current_exe().unwrap())
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let made: BTreeSet<&str> =
        listed.lines().filter_map(|line| line.strip_prefix("runs::")?.strip_suffix(": test")).collect();
    assert_eq!(made, IDS.iter().copied().collect());
}

#[test]
fn each_of_them_can_be_built_and_no_other() {
    for name in NAMES {
        assert_eq!(Runtime::from_name(name).unwrap().block_on(async { 42 }), 42);
    }
    for reactor in ["mio", "polling", "poll"] {
        let built = Runtime::from_name(&format!("fifo+{reactor}"));
        match built {
            Ok(_) => assert!(reactors().contains(&reactor)),
            Err(error) => {
                assert!(!reactors().contains(&reactor));
                let error = error.to_string();
                assert!(error.contains(&format!("the feature `{reactor}`")), "{error}");
            }
        }
    }
}
