//! CI is these steps in this order: what is quick and often red comes first, and the tests' total is the last line.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use crate::args::Args;
use crate::exec;
use crate::stop::Stop;
use crate::test;
use crate::workspace::Workspace;
use crate::{book, docs, ecosystem, forward, loom, miri, tidy, tsan, watch};

const HELP: &str = "\
Runs all checks in order and stops at the first red one; loom, miri and watch run at once. A step whose tool is not installed is
skipped, or red where the variable CI is set. What needs nightly is reported as NOT RUN on a machine without rustup. The last line is
the total of the tests.

Usage: cargo xtask ci [STEP]…

Steps: fmt, tidy, clippy, docs, loom, miri, watch, tsan, smoke, book, ecosystem, test. Without a name all of them run.

Example: cargo xtask ci fmt tidy clippy
";

type Step = (&'static str, fn() -> Result<(), Stop>);

/// All steps but the last one, which is the tests. Those of a line run at once: each alone leaves processors idle, and what they find
/// does not depend on how fast they are, but for the limit of minutes that a model has.
const STEPS: &[&[Step]] = &[
    &[("fmt", fmt)],
    &[("tidy", tidy)],
    &[("clippy", clippy)],
    &[("docs", docs)],
    &[("loom", loom), ("miri", miri), ("watch", watch)],
    &[("tsan", tsan)],
    &[("smoke", smoke)],
    &[("book", book::check)],
    &[("ecosystem", ecosystem::check)],
];

fn fmt() -> Result<(), Stop> {
    exec::check(&mut exec::cargo(&["fmt", "--all", "--check"]))
}

fn tidy() -> Result<(), Stop> {
    tidy::run(Vec::new())
}

fn clippy() -> Result<(), Stop> {
    exec::check(&mut exec::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn docs() -> Result<(), Stop> {
    docs::run(Vec::new())
}

fn loom() -> Result<(), Stop> {
    loom::run(vec!["--mutants".to_owned()])
}

fn miri() -> Result<(), Stop> {
    miri::run(vec!["--short".to_owned()])
}

fn tsan() -> Result<(), Stop> {
    tsan::run(vec!["--short".to_owned()])
}

/// A change of the loops of the workers is soon one instruction too much, which no test sees.
fn watch() -> Result<(), Stop> {
    watch::run(vec!["--short".to_owned()])
}

/// A small matrix: verdicts on both executors and a peer, and one bench. It is built as the tests are, because verdicts
/// ask for no speed and a release build takes minutes.
fn smoke() -> Result<(), Stop> {
    let out = exec::root().join(SMOKE);
    emptied(&out).map_err(|error| Stop::failed(format!("{}: cannot be removed: {error}", out.display())))?;
    let mut matrix = exec::cargo(&["xtask", "bench", "matrix", "--quick", "--out", SMOKE]);
    exec::not_incremental(matrix.env(forward::PROFILE, "dev"));
    matrix.args(["--filter", "sleep/*", "--filter", "echo/*", "--filter", "spawn_join"]);
    exec::check(matrix.args(["--on", "fifo+poll+heap", "--on", "steal+mio+wheel", "--on", "tokio-ct"]))
}

/// Where the smoke's results go; the lab refuses a folder that holds some.
const SMOKE: &str = "target/lab/smoke";

/// Removes what an earlier run left.
fn emptied(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// How a step ended.
enum Light {
    Green,
    Skipped(String),
    /// Nothing on this machine could run it; said loudly, because nobody looks for what is not there.
    NotRun(String),
    Red(String),
}

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &[], &[])?;
    let known = |name: &String| name == "test" || STEPS.iter().copied().flatten().any(|step| step.0 == name);
    if let Some(name) = args.free.iter().find(|name| !known(name)) {
        return Err(Stop::Usage(format!("there is no step `{name}`")));
    }
    let wanted = |name: &str| args.free.is_empty() || args.free.iter().any(|other| other == name);
    let mut report = Report::new();
    for steps in STEPS {
        let steps: Vec<Step> = steps.iter().copied().filter(|step| wanted(step.0)).collect();
        report.steps(&steps)?;
    }
    if !wanted("test") {
        report.print();
        return Ok(());
    }
    let mut totals = None;
    let ran = report.step("test", || {
        let ran = *totals.insert(test::totals(&Workspace::load()?, &[], test::Rounds::ONE)?);
        if ran.is_green() { Ok(()) } else { Err(Stop::failed("there are failed tests")) }
    });
    let Some(totals) = totals else { return ran };
    if ran.is_ok() {
        report.print();
    }
    println!("{totals}");
    ran.map_err(|_| Stop::Said)
}

/// The steps so far.
struct Report {
    start: Instant,
    steps: Vec<(String, Duration, Light)>,
}

impl Report {
    fn new() -> Self {
        Self { start: exec::now(), steps: Vec::new() }
    }

    /// Runs these at once and waits for all. A red one prints the report and ends the run.
    fn steps(&mut self, steps: &[Step]) -> Result<(), Stop> {
        match steps {
            [] => return Ok(()),
            [(name, step)] => return self.step(name, step),
            _ => {}
        }
        let timed = |step: fn() -> Result<(), Stop>| {
            let start = exec::now();
            (step(), start.elapsed())
        };
        let (start, names) = (exec::now(), steps.iter().map(|step| step.0).collect::<Vec<_>>());
        eprintln!("\n==== {}", names.join(", "));
        let ended: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = steps.iter().map(|step| scope.spawn(move || timed(step.1))).collect();
            let panicked = |_| (Err(Stop::failed("it panicked")), start.elapsed());
            running.into_iter().map(|step| step.join().unwrap_or_else(panicked)).collect()
        });
        let mut stop = Ok(());
        for (name, (result, time)) in names.into_iter().zip(ended) {
            stop = stop.and(self.enter(name, time, result));
        }
        self.ends(stop)
    }

    /// Runs one. A red one prints the report and ends the run.
    fn step(&mut self, name: &str, step: impl FnOnce() -> Result<(), Stop>) -> Result<(), Stop> {
        eprintln!("\n==== {name}");
        let start = exec::now();
        let result = step();
        let stop = self.enter(name, start.elapsed(), result);
        self.ends(stop)
    }

    /// Notes how a step ended.
    fn enter(&mut self, name: &str, time: Duration, result: Result<(), Stop>) -> Result<(), Stop> {
        let light = light(result, exec::in_ci());
        let stop = match &light {
            Light::Red(why) => Err(Stop::Failed(format!("RED at {name}: {why}"))),
            Light::Green | Light::Skipped(_) | Light::NotRun(_) => Ok(()),
        };
        self.steps.push((name.to_owned(), time, light));
        stop
    }

    fn ends(&self, stop: Result<(), Stop>) -> Result<(), Stop> {
        stop.inspect_err(|_| self.print())
    }

    fn print(&self) {
        println!("\n==== summary");
        for (name, time, light) in &self.steps {
            let text = match light {
                Light::Green => "ok".to_owned(),
                Light::Skipped(why) => format!("skipped: {why}"),
                Light::NotRun(why) => format!("NOT RUN: {why}"),
                Light::Red(why) => format!("RED: {why}"),
            };
            println!("{name:<10}{:>7.1} s  {text}", time.as_secs_f64());
        }
        // Not the sum, where some ran at once.
        println!("{:<10}{:>7.1} s", "all", self.start.elapsed().as_secs_f64());
        let not_run = |step: &&(String, Duration, Light)| matches!(step.2, Light::NotRun(_));
        let not_run: Vec<&str> = self.steps.iter().filter(not_run).map(|step| step.0.as_str()).collect();
        if !not_run.is_empty() {
            println!("NOT RUN on this machine: {}", not_run.join(", "));
        }
    }
}

fn light(result: Result<(), Stop>, strict: bool) -> Light {
    match result {
        Ok(()) => Light::Green,
        Err(Stop::Missing(why)) if !strict => Light::Skipped(why),
        Err(Stop::OutOfReach(why)) => Light::NotRun(why),
        Err(Stop::Missing(why) | Stop::Build(why) | Stop::Failed(why) | Stop::Usage(why)) => Light::Red(why),
        Err(Stop::Help(_) | Stop::Said) => Light::Red("see above".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn a_missing_tool_is_red_only_where_nothing_may_be_missing() {
        let missing = || Err(Stop::Missing("no miri".into()));
        assert!(matches!(light(missing(), false), Light::Skipped(_)));
        assert!(matches!(light(missing(), true), Light::Red(_)));
        assert!(matches!(light(Ok(()), true), Light::Green));
        let out_of_reach = || Err(Stop::OutOfReach("no rustup".into()));
        assert!(matches!(light(out_of_reach(), true), Light::NotRun(_)), "reported, neither hidden nor red");
        assert!(matches!(light(Err(Stop::failed("no")), false), Light::Red(_)));
    }

    #[test]
    fn the_first_red_step_ends_the_run() {
        let mut report = Report::new();
        assert_eq!(report.step("a", || Ok(())), Ok(()));
        assert_eq!(report.step("b", || Err(Stop::failed("why"))), Err(Stop::Failed("RED at b: why".into())));
        assert_eq!(report.steps.len(), 2);
    }

    #[test]
    fn steps_of_a_line_run_at_once_all_are_waited_for_and_one_red_is_enough() {
        /// One after the other they would wait here for ever.
        static BOTH: Barrier = Barrier::new(2);
        fn meets() -> Result<(), Stop> {
            BOTH.wait();
            Ok(())
        }
        fn red() -> Result<(), Stop> {
            Err(Stop::failed("why"))
        }
        fn panics() -> Result<(), Stop> {
            panic!("a step that panics")
        }
        let mut report = Report::new();
        assert_eq!(report.steps(&[("a", meets), ("b", meets)]), Ok(()));
        let stop = report.steps(&[("c", red), ("d", panics), ("e", red)]);
        assert_eq!(stop, Err(Stop::Failed("RED at c: why".into())));
        let names: Vec<&str> = report.steps.iter().map(|step| step.0.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e"]);
        assert!(matches!(report.steps[3].2, Light::Red(_)), "a panic is red, and the report goes on");
        assert_eq!(report.steps(&[]), Ok(()), "none of a line was wanted");
    }

    #[test]
    fn what_the_last_smoke_left_is_no_obstacle() {
        let folder = std::env::temp_dir().join(format!("polyloop-smoke-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("results.json"), "old").unwrap();
        emptied(&folder).unwrap();
        assert!(!folder.exists());
        emptied(&folder).unwrap();
    }

    #[test]
    fn an_unknown_step_is_refused() {
        assert!(matches!(run(vec!["clipy".into()]), Err(Stop::Usage(_))));
    }
}
