//! Every case once, on one worker of each peer; clients on threads, since a test's executable is not the lab's.
#![cfg(all(feature = "smol", feature = "tokio"))]

use super::*;
use crate::cell::Kind;
use crate::plan::{Plan, Selection, Size, Todo};
use std::collections::HashSet;

/// Long enough for the order of sleeps half a second apart to survive a busy machine.
const SCALE: f64 = 0.2;

fn ask(subject: &str, case: &str) -> Request {
    let (subject, case) = (subject.to_owned(), case.to_owned());
    Request { subject, case, seed: 1, scale: SCALE, slot_ms: 5, rounds: None, trace: false }
}

fn catalogue() -> Standard {
    Standard { clients: Place::Thread }
}

fn pass(request: &Request) -> Outcome {
    let outcome = catalogue().run(request);
    assert_eq!(outcome.status, Status::Pass, "{} on {}: {outcome:#?}", request.case, request.subject);
    outcome
}

macro_rules! every_experiment {
    ($($name:ident: $family:literal,)*) => {
        mod tokio_ct { $( #[test] fn $name() { super::family("tokio-ct", $family); } )* }
        mod tokio_mt { $( #[test] fn $name() { super::family("tokio-mt:2", $family); } )* }
        mod smol_1 { $( #[test] fn $name() { super::family("smol-1", $family); } )* }
        mod smol_n { $( #[test] fn $name() { super::family("smol-n:2", $family); } )* }

        /// By this list `xtask` knows what is shown and not measured.
        #[test]
        fn the_list_of_experiments_is_theirs() {
            let listed: Vec<&str> = include_str!("../../experiments.txt").lines().collect();
            let mut families = vec![$($family),*];
            families.sort_unstable();
            assert_eq!(listed, families);
        }

        #[test]
        fn every_experiment_is_tested() {
            let tested = HashSet::from([$($family),*]);
            let cases = cases();
            let experiments = cases.iter().filter(|case| case.kind == Kind::Experiment);
            let missing = experiments.filter(|case| !tested.contains(case.path.split('/').next().unwrap()));
            assert_eq!(missing.count(), 0);
        }
    };
}

every_experiment! {
    delay: "delay",
    sleep: "sleep",
    starvation: "starvation",
    blocked: "blocked",
    hostage: "hostage",
    lifo_trap: "lifo-trap",
    tail_mixed: "tail-mixed",
    priority_inversion: "priority-inversion",
    select_bias: "select-bias",
    slow_resolver: "slow-resolver",
    self_waker: "self-waker",
    echo: "echo",
    channel: "channel",
    timeout: "timeout",
    join: "join",
}

fn family(subject: &str, family: &str) {
    let known = catalogue().resolve(subject).unwrap();
    for case in cases().into_iter().filter(|case| case.path.split('/').next() == Some(family)) {
        if catalogue().unsupported(&case, &known).is_some() {
            continue;
        }
        let outcome = pass(&ask(subject, &case.path));
        assert!(!outcome.predicted.unwrap().is_empty() && !outcome.observed.unwrap().is_empty());
    }
}

#[test]
fn with_all_workers_blocked_the_policy_decides_whether_the_others_go_on() {
    for subject in ["steal:1", "steal:2", "steal:1,block=none", "steal:2+poll+heap,block=none", "fifo"] {
        family(subject, "blocked");
    }
}

#[test]
fn nothing_is_out_of_reach_on_any_of_our_schedulers() {
    for executor in ["global", "percore", "fair", "edf"] {
        for policy in ["none", "handoff"] {
            let subject = format!("{executor}:2,block={policy}");
            assert!(subjects::resolve(&subject).unwrap().nature.reachable, "{subject}");
            for experiment in ["blocked", "hostage", "lifo-trap"] {
                family(&subject, experiment);
            }
        }
    }
}

#[test]
fn a_holder_inherits_urgency_on_edf_and_waits_for_its_turns_elsewhere() {
    for subject in
        ["edf:1", "edf:2", "edf:1,block=none", "global:1", "percore:2", "fair:1", "steal:1", "fifo"]
    {
        family(subject, "priority-inversion");
    }
}

#[test]
fn a_policy_that_one_thread_cannot_keep_is_unsupported() {
    let (catalogue, cases) = (catalogue(), cases());
    let fifo = catalogue.resolve("fifo,block=handoff").unwrap();
    let why = |case| catalogue.unsupported(case, &fifo);
    assert!(cases.iter().all(|case| why(case).as_deref() == Some("one thread, !Send")));
}

#[test]
fn every_bench_has_a_right_result_and_its_unit() {
    // Skynet's million tasks, the thousand connections and every number of blocked workers would take most of a test run; the
    // lab's own run has them.
    let large = ["skynet", "conns=1000", "blocked_latency/spin", "blocked_latency/sleep/k=0"];
    let small = |case: &CaseInfo| !large.iter().any(|part| case.path.contains(part)) && case.files < 1_000;
    for case in cases().into_iter().filter(|case| case.kind == Kind::Bench).filter(small) {
        for subject in ["tokio-ct", "smol-n:2"] {
            let outcome = pass(&ask(subject, &case.path));
            assert_eq!(outcome.samples[0].unit, case.unit, "{}", case.path);
            assert!(outcome.samples.iter().all(|sample| sample.value.is_finite() && sample.value >= 0.0));
            let names: HashSet<_> = outcome.samples.iter().map(|sample| &sample.name).collect();
            assert_eq!(names.len(), outcome.samples.len(), "{}: names are told apart", case.path);
        }
    }
}

#[test]
fn a_traced_experiment_says_why() {
    for (case, word) in [
        ("starvation/race/no-yields/seed", "dropped without a poll"),
        ("starvation/spawn/no-yields/equal", "while worker 0 sat in a's first poll"),
        ("sleep/blocking", "while worker 0 sat in nap's first poll"),
        ("blocked/k-of-n/sleep/k=n", "its one worker was blocked and nobody relieved"),
    ] {
        let outcome = pass(&Request { trace: true, ..ask("smol-1", case) });
        let timeline = outcome.timeline.unwrap();
        assert!(timeline.why.contains(word), "{case}: {}", timeline.why);
        assert!(
            timeline.lanes.iter().all(|lane| lane.polls.iter().all(|poll| poll.to_us <= timeline.total_us))
        );
    }
}

#[test]
fn what_can_be_counted_is_counted() {
    let traced = |subject| pass(&Request { trace: true, ..ask(subject, "sleep/async") });
    let ours = traced("fifo+poll+heap");
    let lanes = ours.timeline.unwrap().lanes;
    assert_eq!(ours.counts.polls, Some(lanes.iter().map(|lane| lane.polls.len() as u64).sum()));
    assert!(ours.counts.polls > Some(4), "{:?}", ours.counts);
    assert!(ours.counts.syscalls > Some(0));
    // Also of more polls than a lane draws.
    let many = pass(&Request { trace: true, ..ask("fifo+poll+heap", "delay/thousand") });
    assert_eq!(many.counts.polls, Some(2 * 1000), "each task is polled twice");
    let peer = traced("tokio-ct").counts;
    assert!(peer.polls > Some(4) && peer.syscalls.is_none(), "{peer:?}");
    // An echo takes a wait at most, once its connection is registered, and none if the client was quick.
    let echo = pass(&ask("fifo+mio+wheel", "tcp_echo/conns=1/bytes=64"));
    let calls = echo.samples.iter().find(|sample| sample.name == "reactor_syscalls").unwrap();
    assert!(calls.value > 0.0 && calls.value <= 2.5, "{calls:?}");
}

#[test]
fn paths_are_unique_and_say_what_is_done() {
    let cases = cases();
    let paths: HashSet<_> = cases.iter().map(|case| &case.path).collect();
    assert_eq!(paths.len(), cases.len());
    assert!(cases.iter().all(|case| !case.about.is_empty() && case.seconds > 0.0 && case.files > 0));
    assert!(cases.iter().all(|case| (case.kind == Kind::Bench) != case.unit.is_empty()));
    assert!(cases.iter().all(|case| case.default || !case.quick), "what is quick is in a default run too");
}

#[test]
fn what_is_not_known_is_said() {
    let unknown = catalogue().run(&ask("tokio-ct", "no/such/case"));
    assert_eq!(unknown.reason.unwrap(), "there is no case `no/such/case`");
    let unknown = catalogue().run(&ask("nobody", "delay/thousand"));
    assert!(unknown.reason.unwrap().contains("`nobody` is neither a combination"));
}

#[test]
fn a_runtime_that_cannot_be_built_fails_unless_the_machine_does_not_have_it() {
    let status = |kind: io::ErrorKind| not_started(&kind.into()).status;
    assert_eq!(status(io::ErrorKind::Unsupported), Status::Unavailable);
    assert_eq!(status(io::ErrorKind::PermissionDenied), Status::Unavailable);
    for broken in [io::ErrorKind::InvalidInput, io::ErrorKind::OutOfMemory, io::ErrorKind::Other] {
        assert_eq!(status(broken), Status::Fail, "{broken}");
    }
}

/// What nothing was left out of.
fn everything(size: Size) -> Selection {
    Selection {
        size,
        on: Vec::new(),
        filter: Vec::new(),
        executors: Vec::new(),
        reactors: Vec::new(),
        timers: Vec::new(),
        peers: None,
        workers: Vec::new(),
        exhaustive: false,
        rounds: None,
        budget: None,
        scale: None,
        limit: None,
        jobs: 2,
        seed: 1,
    }
}

#[test]
fn a_second_policy_runs_only_where_the_policy_matters() {
    let plan = |size, exhaustive| {
        let selection = Selection {
            on: ["steal:2", "steal:2,block=none"].map(str::to_owned).into(),
            filter: ["lifo-trap", "tail-mixed", "yield", "blocked_latency/sleep/k=n"]
                .map(str::to_owned)
                .into(),
            exhaustive,
            rounds: Some(1),
            ..everything(size)
        };
        Plan::new(&catalogue(), &selection).unwrap()
    };
    let collapsed = |plan: Plan| -> Vec<String> {
        let same = plan.cells.iter().filter(|cell| matches!(cell.todo, Todo::SameAs(0)));
        same.map(|cell| plan.cases[cell.case].path.clone()).collect()
    };
    assert_eq!(collapsed(plan(Size::Usual, false)), ["tail-mixed", "yield"]);
    assert_eq!(collapsed(plan(Size::Single, false)), ["yield"], "a person who names two wants to see both");
    assert!(collapsed(plan(Size::Usual, true)).is_empty());
}

#[test]
fn one_of_one_worker_is_all_of_them() {
    let (all, catalogue) = (cases(), catalogue());
    let case = all.iter().find(|case| case.path == "blocked/k-of-n/spin/k=1").unwrap();
    assert!(catalogue.unsupported(case, &catalogue.resolve("smol-1").unwrap()).is_some());
    assert!(catalogue.unsupported(case, &catalogue.resolve("tokio-mt:2").unwrap()).is_none());
}

#[test]
fn only_long_sleeps_are_scaled_and_none_to_nothing() {
    let request = ask("smol-1", "delay/thousand");
    let contestant = crate::subjects::resolve("smol-1").unwrap();
    let cell = |scale| Request { scale, ..request.clone() };
    let scaled = |scale, millis| {
        let (request, too_fast) = (cell(scale), std::cell::Cell::new(false));
        let (nature, clients) = (contestant.nature, Place::Thread);
        Cell { request: &request, nature, clients, syscalls: &|| None, too_fast: &too_fast }.scaled(millis)
    };
    assert_eq!(scaled(0.1, 1_000), Duration::from_millis(100));
    assert_eq!(scaled(0.1, 499), Duration::from_millis(499));
    assert_eq!(scaled(0.0, 500), SHORTEST);
    assert_eq!(scaled(1.0, 1_500), Duration::from_millis(1_500));
}

#[test]
fn an_experiment_whose_sleeps_were_too_short_is_repeated_up_to_the_texts_own() {
    let request = Request { scale: 0.0, ..ask("smol-1", "timeout/fast-slow") };
    let nature = crate::subjects::resolve("smol-1").unwrap().nature;
    let by_time = || Prediction::new().times("x", 1).by_time(Prediction::new().sequence(&["a", "b"]));
    let run = |events: fn(f64) -> [&'static str; 3], scales: &mut Vec<f64>| {
        slower_if_too_fast(&request, |request, too_fast| {
            scales.push(request.scale);
            let log = Log::new(false);
            events(request.scale).into_iter().for_each(|event| log.say("lane", event));
            let cell = Cell { request, nature, clients: Place::Thread, syscalls: &|| None, too_fast };
            judge(&cell, &log, &by_time(), |_| String::new())
        })
    };

    let mut scales = Vec::new();
    let late = run(|scale| if scale < 0.3 { ["x", "b", "a"] } else { ["x", "a", "b"] }, &mut scales);
    assert_eq!((late.status, scales), (Status::Pass, vec![0.0, 0.1, 0.4]));
    let observed = late.observed.unwrap();
    assert!(observed.starts_with("x → a → b; before that, at scale 0, `b` came before `a`;"), "{observed}");

    let mut scales = Vec::new();
    let always = run(|_| ["x", "b", "a"], &mut scales);
    assert_eq!((always.status, scales), (Status::Fail, vec![0.0, 0.1, 0.4, 1.0]));

    let mut scales = Vec::new();
    let structure = run(|_| ["b", "a", "y"], &mut scales);
    assert_eq!((structure.status, scales), (Status::Fail, vec![0.0]), "no sleep excuses what is missing");
}

#[test]
fn a_default_run_is_planned_for_12_to_13_minutes_and_a_quick_one_for_less_than_3() {
    let plan = |size| Plan::new(&catalogue(), &everything(size)).unwrap();
    let (usual, quick) = (plan(Size::Usual), plan(Size::Quick));
    assert!(usual.rounds >= 5, "intervals need five rounds: {}", usual.line());
    assert!(quick.seconds_in_all() < 3.0 * 60.0, "{}", quick.line());
    let files = crate::limits::raise_open_files();
    if files.is_some_and(|files| usual.cases.iter().any(|case| case.files > files)) {
        return polyloop_conformance::unable("the cases that want the most files are planned by nobody");
    }
    let usual = plan(Size::Usual);
    // What README.md and --help say, and what two cores took: 12 min 23 s to 12 min 37 s.
    assert!((12.0 * 60.0..13.0 * 60.0).contains(&usual.seconds_in_all()), "{}", usual.line());
}
