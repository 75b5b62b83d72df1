//! The scheduler of the guide's chapter "Writing your own scheduler": the suites run on it as on a built-in one.
//!
//! The other chapters' code runs as documentation tests of this package's library; the cookbook's programs run here as well, on
//! every combination.

#![forbid(unsafe_code)]
#![expect(unreachable_pub, reason = "the guide's scheduler is one for a crate of its own")]

mod cookbook;
mod lanes;

use lanes::Lanes;
use polyloop::{Combination, Handle, Runtime, register_scheduler, task, time};
use polyloop_conformance::fairness::On;
use polyloop_conformance::{fairness, runtime};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

fn registered() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| register_scheduler("lanes", |_| Lanes::default()).expect("the name is free"));
}

#[test]
fn programs_run_on_it() {
    registered();
    let runtime = Runtime::from_name("lanes:2+poll+heap").unwrap();
    let sum = runtime.block_on(async {
        let urgent = task::Builder::new().class(1).spawn(async { 1 });
        let other = polyloop::spawn(async {
            time::sleep(Duration::from_millis(1)).await;
            2
        });
        urgent.await.unwrap() + other.await.unwrap()
    });
    assert_eq!(sum, 3);
}

fn lanes(name: &str) -> (Handle, Runtime) {
    registered();
    let runtime = Runtime::from_name(name).unwrap();
    (runtime.handle().clone(), runtime)
}

runtime!(lanes_1, one worker, lanes("lanes:1+mio+wheel"));
runtime!(lanes_2, lanes("lanes:2+poll+heap"));
fairness!(lanes_fairness, lanes("lanes:1").0.fairness(), On::Worker, lanes("lanes:1+mio+wheel"));

#[test]
fn what_the_chapter_shows_is_what_runs_here() {
    let chapter = include_str!("../../docs/guide/scheduler.md");
    let here = [include_str!("lanes.rs"), include_str!("main.rs")];
    let blocks: Vec<&str> =
        chapter.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4);
    for block in &blocks {
        assert!(here.iter().any(|file| file.contains(block.trim())), "not in tests/guide: {block}");
    }
    let (_, scheduler) = here[0].split_once("\n\n").unwrap();
    assert_eq!(blocks[0].trim(), scheduler.trim(), "all of it is shown");
    assert!(scheduler.lines().count() < 100, "a scheduler has less than a hundred lines");
}

/// What needs crates that are not all in one package runs in the packages that have them.
#[test]
fn what_is_shown_without_running_runs_in_the_tests_of_the_ecosystem() {
    let chapter = include_str!("../../docs/guide/ecosystem.md");
    let there = [
        include_str!("../ecosystem/dns/src/lib.rs"),
        include_str!("../ecosystem/dbus/tests/peers.rs"),
        include_str!("../ecosystem/kit/src/bin/shout.rs"),
    ];
    let (_, shown) = chapter.split_once("```rust,ignore\n").unwrap();
    let (shown, rest) = shown.split_once("```").unwrap();
    assert!(!rest.contains("ignore\n"), "a second block");
    assert_eq!(shown.lines().count(), there.len());
    for (line, file) in shown.lines().zip(there) {
        assert!(file.contains(line), "{line}");
    }
}

/// The layout is mdBook's: whatever is not in the summary is not in the book.
#[test]
fn every_chapter_is_in_the_summary_and_links_lead_to_files() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide"));
    let links = |chapter: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(folder.join(chapter)).unwrap();
        let links = text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
        links.filter(|link| !link.contains("://")).map(str::to_owned).collect()
    };
    let files =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let chapters: BTreeSet<String> =
        files.filter(|name| name.ends_with(".md") && name != "SUMMARY.md").collect();
    assert_eq!(links("SUMMARY.md"), chapters);
    for chapter in &chapters {
        for link in links(chapter) {
            assert!(folder.join(&link).exists(), "{chapter}: {link}");
        }
    }
}

/// The first table of the chapter on the ecosystem: crate, version, how it runs, by what, tests.
#[test]
fn the_ecosystems_crates_have_the_versions_and_the_tests_that_are_told() {
    let chapter = include_str!("../../docs/guide/ecosystem.md");
    let locked = include_str!("../ecosystem/Cargo.lock");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/ecosystem");
    let rows = chapter.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let rows: Vec<_> =
        rows.filter(|row| row.len() == 7 && ["native", "bridge", "not"].contains(&row[3])).collect();
    assert!(rows.len() >= 19, "{rows:?}");
    for row in rows {
        let name = row[1].split([',', ' ']).next().unwrap();
        let package = format!("name = \"{name}\"\nversion = \"{}\"\n", row[2]);
        assert!(locked.contains(&package), "{name} {} is not in the lock file", row[2]);
        assert_eq!(row[5].is_empty(), row[3] == "not", "{row:?}");
        let tests = std::path::Path::new(folder).join(row[5].trim_matches('`'));
        assert!(tests.exists(), "{}", tests.display());
    }
}

/// Spawns 20 slow tasks and then 20 fast ones from one poll, and says in which order they ran.
fn order() -> Vec<u8> {
    let (_, runtime) = lanes("lanes:1+mio+wheel");
    let ran = Arc::new(Mutex::new(Vec::new()));
    let spawn = {
        let ran = Arc::clone(&ran);
        move |class| {
            let ran = Arc::clone(&ran);
            task::Builder::new().class(class).spawn(async move { ran.lock().unwrap().push(class) })
        }
    };
    runtime.block_on(async {
        // From a task, so that the only worker is in a poll until all are there.
        let spawner = polyloop::spawn(async move {
            let slow: Vec<_> = (0..20).map(|_| spawn(2)).collect();
            let fast: Vec<_> = (0..20).map(|_| spawn(1)).collect();
            slow.into_iter().chain(fast).collect::<Vec<_>>()
        });
        for task in spawner.await.unwrap() {
            task.await.unwrap();
        }
    });
    Arc::into_inner(ran).unwrap().into_inner().unwrap()
}

#[test]
fn a_fast_task_goes_before_slow_ones_but_not_for_ever() {
    let mut predicted = Vec::new();
    for _ in 0..2 {
        predicted.extend([1; 8]);
        predicted.push(2);
    }
    predicted.extend([1; 4]);
    predicted.extend([2; 18]);
    assert_eq!(order(), predicted);
}

#[test]
fn it_says_what_it_heeds() {
    registered();
    assert_eq!("lanes:2".parse::<Combination>().unwrap().honours().to_string(), "class");
}
