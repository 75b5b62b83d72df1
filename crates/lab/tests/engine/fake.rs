//! A small catalogue with everything that can go wrong.

use polyloop_lab::cell::{
    Axes, Better, CaseInfo, Catalogue, Counts, Kind, Lane, Mark, Outcome, Request, Sample, Slice, Status,
    Subject, SubjectKind, Timeline,
};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Fake;

/// A name that tries everything: markup, quotes, a change of direction, an escape sequence.
pub(crate) const HOSTILE: &str = "evil</script><img src=x onerror=alert(1)>\"'`|*\u{202e}\u{1b}[31m";

impl Catalogue for Fake {
    fn subjects(&self) -> Vec<Subject> {
        let mut subjects = Vec::new();
        for executor in ["fifo", "steal"] {
            for reactor in ["mio", "poll"] {
                for timers in ["wheel", "heap"] {
                    subjects.push(own(executor, reactor, timers, if executor == "fifo" { 1 } else { 2 }));
                }
            }
        }
        for (name, kind) in [
            ("tokio-mt", SubjectKind::Peer),
            ("smol-n", SubjectKind::Peer),
            ("floor-loop", SubjectKind::Floor),
            (HOSTILE, SubjectKind::Plugin),
        ] {
            subjects.push(Subject {
                name: name.into(),
                kind,
                executor: None,
                reactor: None,
                timers: None,
                workers: 2,
                version: "1.2.3".into(),
            });
        }
        subjects
    }

    fn resolve(&self, name: &str) -> Result<Subject, String> {
        if let Some(subject) = self.subjects().into_iter().find(|subject| subject.name == name) {
            return Ok(subject);
        }
        if let Some((base @ ("tokio-mt" | "smol-n"), workers)) = name.split_once(':') {
            let workers = workers.parse().map_err(|_| "workers")?;
            let peer = self.subjects().into_iter().find(|subject| subject.name == base).expect("a peer");
            return Ok(Subject { name: name.into(), workers, ..peer });
        }
        let parts: Vec<&str> = name.split('+').collect();
        if let [executor, reactor, timers] = parts[..] {
            let (executor, workers) = executor.split_once(':').unwrap_or((executor, "2"));
            if executor == "steal"
                && ["mio", "poll"].contains(&reactor)
                && ["wheel", "heap"].contains(&timers)
            {
                let mut subject = own(executor, reactor, timers, workers.parse().map_err(|_| "workers")?);
                subject.name = name.into();
                return Ok(subject);
            }
        }
        Err(format!("unknown subject {name:?}; allowed are executor+reactor+timers, tokio-mt, smol-n"))
    }

    fn cases(&self) -> Vec<CaseInfo> {
        let none = Axes { executor: true, reactor: false, timers: false, options: false };
        let mut cases = Vec::new();
        for path in [
            "starvation/race/no-yields/seed",
            "starvation/race/yields/seed",
            "sleep/async",
            "blocked/k-of-n/sleep/k=n",
            "odd/fails",
            "odd/hangs",
            "odd/crashes",
            "odd/panics",
            "odd/garbage",
            "odd/silent",
            "odd/noisy",
            "odd/lingers",
            "odd/dies-after",
            "odd/files",
            "odd/stubborn",
            "odd/peer-fails",
            "odd/unavailable",
            "odd/open",
            "odd/replaced",
            "once/fails",
            "once/hangs",
            "once/crashes",
            HOSTILE,
        ] {
            cases.push(info(path, Kind::Experiment, none));
        }
        cases.push(info("spawn_join", Kind::Bench, none));
        cases.push(info(
            "timer_cancel",
            Kind::Bench,
            Axes { executor: false, reactor: false, timers: true, options: false },
        ));
        cases.push(info("tcp_echo/conns=64/bytes=64", Kind::Bench, Axes { reactor: true, ..none }));
        cases.push(info("rate", Kind::Bench, none));
        cases.push(info("nan", Kind::Bench, none));
        cases.push(info("spread", Kind::Bench, none));
        cases.push(info("flaky", Kind::Bench, none));
        cases.push(CaseInfo { seconds: 60.0, ..info("takes_a_minute", Kind::Bench, none) });
        for case in &mut cases {
            if matches!(case.path.as_str(), "nan" | "spread" | "flaky" | "takes_a_minute") {
                (case.quick, case.default) = (false, false);
            }
        }
        cases
    }

    fn unsupported(&self, case: &CaseInfo, subject: &Subject) -> Option<String> {
        (case.path == "timer_cancel" && subject.kind == SubjectKind::Floor)
            .then(|| "a loop has no timers".to_owned())
    }

    fn run(&self, request: &Request) -> Outcome {
        match request.case.as_str() {
            "odd/fails" => failed("b before a"),
            "odd/peer-fails" if request.subject == "tokio-mt" => failed("a peer's own way"),
            "odd/unavailable" => Outcome {
                status: Status::Unavailable,
                reason: Some("io_uring_setup: EPERM".into()),
                ..passed(None)
            },
            "odd/hangs" => {
                eprintln!("about to hang");
                forever()
            }
            "odd/crashes" => std::process::abort(),
            "odd/panics" => panic!("a panic with a message"),
            "odd/open" => {
                Outcome { open: true, predicted: Some("nothing is forced: a tie".into()), ..passed(None) }
            }
            "odd/replaced" if is_first(request) => {
                // Somebody builds during the run: the file of this program goes away.
                let program = std::env::current_exe().expect("own path");
                assert!(program.ends_with("copy-of-the-lab"), "only a copy may be removed");
                std::fs::remove_file(program).expect("removed");
                passed(None)
            }
            "once/fails" if is_first(request) => failed("b before a, once"),
            "once/hangs" if is_first(request) => forever(),
            "once/crashes" if is_first(request) => std::process::abort(),
            "odd/garbage" => {
                println!("\u{1e}polyloop-cell {{not json");
                std::process::exit(0)
            }
            "odd/silent" => std::process::exit(0),
            "odd/noisy" => {
                for _ in 0..10_000 {
                    println!("noise {{\"status\":\"fail\"}}");
                }
                print!("half a line");
                passed(None)
            }
            "odd/lingers" => {
                // A child that holds the pipes open and would outlive its parent.
                let child = std::process::Command::new("sleep").arg("600").spawn();
                eprintln!("child {}", child.map_or(0, |child| child.id()));
                passed(None)
            }
            "odd/dies-after" => {
                std::thread::spawn(|| {
                    pause(100);
                    std::process::abort()
                });
                println!("\n\u{1e}polyloop-cell {}", serde_json::to_string(&passed(None)).unwrap());
                forever()
            }
            "odd/stubborn" => {
                println!("\n\u{1e}polyloop-cell {}", serde_json::to_string(&passed(None)).unwrap());
                forever()
            }
            "nan" => number(request, "ns", Better::Lower, f64::NAN),
            "flaky" => failed("only in the end"),
            "rate" => number(request, "req/s", Better::Higher, 100_000.0 / slowness(request)),
            "spread" => {
                let sample = |name: &str, value| Sample {
                    name: name.into(),
                    unit: "µs".into(),
                    better: Better::Lower,
                    value: value * slowness(request),
                };
                let samples = vec![sample("p99", 1_500.0), sample("p50", 80.0), sample("max", 20_000.0)];
                Outcome { samples, ..passed(None) }
            }
            bench if !bench.contains('/') && bench != HOSTILE => {
                number(request, "ns", Better::Lower, 60.0 * slowness(request))
            }
            "tcp_echo/conns=64/bytes=64" => {
                let mut outcome = number(request, "µs", Better::Lower, 9.8 * slowness(request));
                let calls = ("reactor_syscalls".into(), "calls".into());
                outcome.samples.push(Sample {
                    name: calls.0,
                    unit: calls.1,
                    better: Better::Lower,
                    value: 0.25,
                });
                outcome
            }
            _ => passed(Some(timeline(request))),
        }
    }
}

fn own(executor: &str, reactor: &str, timers: &str, workers: usize) -> Subject {
    Subject {
        name: format!("{executor}+{reactor}+{timers}"),
        kind: SubjectKind::Own,
        executor: Some(executor.into()),
        reactor: Some(reactor.into()),
        timers: Some(timers.into()),
        workers,
        version: "0.1.0".into(),
    }
}

fn info(path: &str, kind: Kind, axes: Axes) -> CaseInfo {
    let params: BTreeMap<String, String> = path
        .split('/')
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    CaseInfo {
        path: path.into(),
        kind,
        params,
        about: format!("What {path} does, in one sentence."),
        unit: if kind == Kind::Bench { "ns".into() } else { String::new() },
        axes,
        quick: true,
        default: true,
        seconds: 0.02,
        files: if path == "odd/files" { u64::MAX - 1 } else { 64 },
    }
}

/// A subject's speed, with a little noise that depends on the seed alone.
fn slowness(request: &Request) -> f64 {
    let base = match request.subject.as_str() {
        "tokio-mt" => 1.3,
        "tokio-mt:4" => 2.6,
        "smol-n" => 0.8,
        "floor-loop" => 0.5,
        subject if subject.starts_with("fifo") => 1.0,
        subject if subject.contains("poll") => 2.5,
        subject if subject.contains("heap") => 1.6,
        _ => 1.002,
    };
    let mixed = (request.seed ^ request.subject.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    base * (1.0 + 0.01 * (mixed as f64 / (1_u64 << 24) as f64))
}

fn number(request: &Request, unit: &str, better: Better, value: f64) -> Outcome {
    let sample = |name: &str, value| Sample { name: name.into(), unit: unit.into(), better, value };
    let samples = vec![sample("per_op", value), sample("a_second_one", value * 2.0)];
    Outcome { samples, counts: Counts { polls: Some(request.slot_ms), ..Counts::default() }, ..passed(None) }
}

fn failed(observed: &str) -> Outcome {
    Outcome {
        status: Status::Fail,
        reason: Some("not as predicted".into()),
        predicted: Some("a before b".into()),
        observed: Some(observed.into()),
        timeline: Some(Timeline { total_us: 1000.0, ..Timeline::default() }),
        ..passed(None)
    }
}

fn passed(timeline: Option<Timeline>) -> Outcome {
    Outcome {
        status: Status::Pass,
        reason: None,
        predicted: Some("a before b".into()),
        observed: Some("a, b".into()),
        open: false,
        samples: Vec::new(),
        counts: Counts::default(),
        timeline,
    }
}

/// Something to look at: `a` and `b` in turn, on two workers where there are two.
fn timeline(request: &Request) -> Timeline {
    let yields = request.case.contains("/yields");
    let second = usize::from(request.subject.starts_with("steal"));
    let slice = |from: f64, to: f64, worker| Slice::new(from * 1e3, to * 1e3, worker);
    let lane = |label: &str, polls: Vec<Slice>, wakes: &[f64]| Lane {
        label: label.into(),
        marks: polls.iter().map(|poll| Mark { at_us: poll.from_us, text: format!("{label} runs") }).collect(),
        wakes_us: wakes.iter().map(|ms| ms * 1e3).collect(),
        polls,
        undrawn: 0,
        ended_us: None,
    };
    let lanes = if yields {
        vec![
            lane(
                "a",
                vec![slice(0.0, 30.0, 0), slice(105.0, 115.0, 0), slice(125.0, 145.0, 0)],
                &[30.0, 115.0],
            ),
            lane(
                "b",
                vec![slice(30.0, 105.0, second), slice(115.0, 125.0, second), slice(145.0, 160.0, second)],
                &[105.0, 125.0],
            ),
        ]
    } else {
        vec![lane("a", vec![slice(0.0, 60.0, 0)], &[]), lane("b", Vec::new(), &[])]
    };
    let total_us = if yields { 160_000.0 } else { 60_000.0 };
    Timeline { lanes, total_us, why: "b was ready all the time; worker 0 was inside a's first poll.".into() }
}

/// Where cells leave a file when they first run, for the cases that go wrong only once.
pub(crate) const MARKS: &str = "POLYLOOP_TEST_MARKS";

fn is_first(request: &Request) -> bool {
    let Some(folder) = std::env::var_os(MARKS) else { return false };
    let name = request.case.replace('/', "-");
    std::fs::File::create_new(std::path::Path::new(&folder).join(name)).is_ok()
}

fn forever() -> ! {
    loop {
        pause(1000);
    }
}

#[expect(clippy::disallowed_methods, reason = "a fake cell that hangs")]
fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}
