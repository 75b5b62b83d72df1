//! The cookbook's programs, each in a process of its own, on every combination.

use polyloop::Combination;
use polyloop_conformance::{LIMIT, watched};
use std::process::{Command, ExitCode, Termination};
use std::thread;

include!(concat!(env!("OUT_DIR"), "/cookbook.rs"));

/// A program of the cookbook.
type Recipe = (&'static str, fn() -> ExitCode);

fn report<T: Termination>(main: fn() -> T) -> ExitCode {
    main().report()
}

/// Which of them this process is, if it is one.
const RECIPE: &str = "POLYLOOP_TEST_RECIPE";

/// Run by the test below, for a program's `main` reads the variable `POLYLOOP`, which nobody may change here.
#[test]
fn child() {
    let Ok(name) = std::env::var(RECIPE) else { return };
    let (_, run) = RECIPES.iter().find(|(known, _)| *known == name).unwrap();
    assert_eq!(run(), ExitCode::SUCCESS);
}

#[test]
fn every_recipe_runs_on_every_combination() {
    let titles =
        include_str!("../../docs/guide/cookbook.md").lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(RECIPES.len(), titles, "each section has a program");
    let blocks = include_str!("../../docs/guide/cookbook.md").matches("```rust").count();
    assert_eq!(RECIPES.len(), blocks, "one that is marked as not to be run is not among them");
    for combination in Combination::ALL {
        // A recipe that hangs ends here; seven processes at once may take long on a busy machine.
        watched(&combination.to_string(), 6 * LIMIT, move || run_all(&combination));
    }
}

fn run_all(combination: &Combination) {
    thread::scope(|scope| {
        for (name, _) in RECIPES {
            scope.spawn(move || {
                let mut child = Command::new(std::env::current_exe().unwrap());
                child.args(["cookbook::child", "--exact"]).env(RECIPE, name);
                let output = child.env("POLYLOOP", combination.to_string()).output().unwrap();
                let said =
                    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
                assert!(output.status.success(), "{name} on {combination}: {}", said.concat());
                assert!(said[0].contains("1 passed"), "{name} on {combination}: {}", said[0]);
            });
        }
    });
}
