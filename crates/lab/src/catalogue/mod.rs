//! The catalogue: every experiment and bench as a program over the traits, the same code on every subject.
//!
//! Invariant: a case is selected by its path alone, and its path says all its parameters. What a correct run must show is
//! stated from the subject's properties, never from its name.

mod benches;
mod experiments;
mod info;
mod kit;
mod order;

#[cfg(test)]
mod tests;

use crate::cell::{CaseInfo, Catalogue, Counts, Outcome, Request, Sample, Status, Subject, Timeline};
use crate::subjects::{self, Nature, Program, Syscalls};
use kit::client::Place;
pub use kit::client::hidden;
pub(crate) use kit::clock::block;
use kit::measure::Effort;
use order::Prediction;
use polyloop_timeline::Log;
use polyloop_traits::Runtime;
use std::io;
use std::time::Duration;

/// The built-in catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Standard {
    clients: Place,
}

impl Standard {
    /// The catalogue. Clients run in other processes of this executable, whose `main` calls [`hidden`] first.
    pub const fn new() -> Self {
        Self { clients: Place::Process }
    }
}

impl Default for Standard {
    fn default() -> Self {
        Self::new()
    }
}

/// What a program is told: the request, and the subject's properties.
pub(crate) struct Cell<'a> {
    request: &'a Request,
    nature: Nature,
    clients: Place,
    /// What the reactor has asked of the kernel so far.
    syscalls: Syscalls<'a>,
    /// Set by an experiment whose sleeps were too short for this machine at this moment.
    too_fast: &'a std::cell::Cell<bool>,
}

/// Shorter sleeps are never scaled, and no scaled one becomes shorter than `SHORTEST`: kernel timers are too coarse.
const SCALED_FROM: Duration = Duration::from_millis(500);
const SHORTEST: Duration = Duration::from_millis(5);

impl Cell<'_> {
    /// The path's parts.
    fn parts(&self) -> Vec<&str> {
        self.request.case.split('/').collect()
    }

    /// The part of the path after the first `index`, empty if there is none.
    fn part(&self, index: usize) -> &str {
        self.parts().get(index).copied().unwrap_or_default()
    }

    /// The value of a numeric parameter in the path.
    fn number(&self, name: &str) -> Result<usize, String> {
        let value = self.parts().into_iter().find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let value = value.ok_or_else(|| format!("`{}` has no parameter `{name}`", self.request.case))?;
        value.parse().map_err(|_| format!("`{name}={value}` is not a number"))
    }

    /// A sleep of the seed at this run's scale.
    fn scaled(&self, millis: u64) -> Duration {
        let verbatim = Duration::from_millis(millis);
        if verbatim < SCALED_FROM {
            return verbatim;
        }
        verbatim.mul_f64(self.request.scale.max(0.0)).max(SHORTEST)
    }

    /// How much a bench of many equal operations does.
    fn effort(&self) -> Effort {
        self.request.rounds.map_or_else(|| Effort::Fill(self.slot()), Effort::Rounds)
    }

    /// How long the timed part of a bench should take.
    fn slot(&self) -> Duration {
        Duration::from_millis(self.request.slot_ms.max(1))
    }

    /// A log for an experiment.
    fn log(&self) -> Log {
        Log::new(self.request.trace)
    }
}

/// An experiment's end: the verdict, and why it looks so.
fn judge(
    cell: &Cell<'_>,
    log: &Log,
    prediction: &Prediction,
    why: impl FnOnce(&Timeline) -> String,
) -> Outcome {
    let events = log.events();
    let wrong = prediction.check(&events);
    cell.too_fast.set(wrong.structure.is_empty() && !wrong.time.is_empty());
    let wrong = wrong.all();
    Outcome {
        status: if wrong.is_empty() { Status::Pass } else { Status::Fail },
        reason: (!wrong.is_empty()).then(|| wrong.join("; ")),
        predicted: Some(prediction.to_string()),
        observed: Some(order::describe(&events)),
        open: prediction.is_open(),
        counts: Counts { polls: log.polls(), ..Counts::default() },
        timeline: log.timeline(why),
        ..blank()
    }
}

/// A bench's end: its numbers, or what was wrong with its result.
fn report(measured: Result<Vec<Sample>, String>) -> Outcome {
    match measured {
        Ok(samples) => Outcome { samples, ..blank() },
        Err(reason) => failed(reason),
    }
}

fn failed(reason: impl Into<String>) -> Outcome {
    Outcome { status: Status::Fail, reason: Some(reason.into()), ..blank() }
}

fn blank() -> Outcome {
    Outcome {
        status: Status::Pass,
        reason: None,
        predicted: None,
        observed: None,
        open: false,
        samples: Vec::new(),
        counts: Counts::default(),
        timeline: None,
    }
}

/// The modules that have the programs, each with the first parts of its cases' paths.
macro_rules! families {
    ($($($module:ident)::+ => $($name:literal)|+,)*) => {
        fn cases() -> Vec<CaseInfo> {
            let mut all = Vec::new();
            $( all.extend($($module)::+::cases()); )*
            all
        }

        fn run_on<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
            match cell.part(0) {
                $( $($name)|+ => $($module)::+::run(rt, cell), )*
                other => failed(format!("there is no case family `{other}`")),
            }
        }
    };
}

families! {
    experiments::delay => "delay",
    experiments::sleep => "sleep",
    experiments::starvation => "starvation",
    experiments::blocked => "blocked",
    experiments::hostage => "hostage",
    experiments::lifo_trap => "lifo-trap",
    experiments::self_waker => "self-waker",
    experiments::tail_mixed => "tail-mixed",
    experiments::priority_inversion => "priority-inversion",
    experiments::select_bias => "select-bias",
    experiments::slow_resolver => "slow-resolver",
    experiments::echo => "echo",
    experiments::messages => "channel" | "join",
    experiments::timeout => "timeout",
    benches::spawn => "spawn_join" | "spawn_await" | "spawn_remote" | "chained_spawn",
    benches::messages => "yield" | "wake" | "ping_pong" | "message_chain",
    benches::fork_join => "skynet" | "fib" | "steal_imbalance",
    benches::wake => "remote_wake" | "blocking_pool" | "heartbeat",
    benches::timers => "timer_fire" | "timer_cancel" | "sleep_precision",
    benches::memory => "memory_per_task",
    benches::tcp => "tcp_echo" | "idle_connections",
    benches::blocked => "blocked_latency",
    benches::tail => "tail_mixed",
    benches::idle => "idle_cpu",
}

impl Catalogue for Standard {
    fn subjects(&self) -> Vec<Subject> {
        subjects::all().into_iter().map(|contestant| contestant.subject).collect()
    }

    fn every_subject(&self) -> Vec<Subject> {
        subjects::every().into_iter().map(|contestant| contestant.subject).collect()
    }

    fn resolve(&self, name: &str) -> Result<Subject, String> {
        subjects::resolve(name).map(|contestant| contestant.subject)
    }

    fn cases(&self) -> Vec<CaseInfo> {
        cases()
    }

    fn unsupported(&self, case: &CaseInfo, subject: &Subject) -> Option<String> {
        let impossible = || subjects::resolve(&subject.name).ok()?.unsupported();
        impossible()
            .or_else(|| experiments::blocked::unsupported(case, subject))
            .or_else(|| experiments::slow_resolver::unsupported(case, subject))
    }

    fn run(&self, request: &Request) -> Outcome {
        if !cases().iter().any(|case| case.path == request.case) {
            return failed(format!("there is no case `{}`", request.case));
        }
        let contestant = match subjects::resolve(&request.subject) {
            Ok(contestant) => contestant,
            Err(reason) => return failed(reason),
        };
        slower_if_too_fast(request, |request, too_fast| {
            let started =
                contestant.run(Start { request, clients: self.clients, too_fast }, request.rounds.is_some());
            started.unwrap_or_else(|error| not_started(&error))
        })
    }
}

/// A runtime that could not be built: not to be had here where the kernel or this build says so, else broken.
fn not_started(error: &io::Error) -> Outcome {
    let status = match error.kind() {
        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied => Status::Unavailable,
        _ => Status::Fail,
    };
    Outcome { status, ..failed(format!("the runtime cannot be built: {error}")) }
}

/// If a machine stood still for as long as two sleeps differ, an experiment is repeated with sleeps so many times longer,
/// up to the text's own.
const SLOWER: f64 = 4.0;
/// The least scale of a repetition.
const SLOW: f64 = 0.1;

/// Runs an experiment, and again with longer sleeps while it says that they were too short; the outcome tells of both.
fn slower_if_too_fast(
    request: &Request,
    mut run: impl FnMut(&Request, &std::cell::Cell<bool>) -> Outcome,
) -> Outcome {
    let mut request = request.clone();
    let mut before = String::new();
    loop {
        let too_fast = std::cell::Cell::new(false);
        let mut outcome = run(&request, &too_fast);
        if !too_fast.get() || request.scale >= 1.0 {
            outcome.observed = outcome.observed.map(|observed| observed + &before);
            return outcome;
        }
        before +=
            &format!("; before that, at scale {}, {}", request.scale, outcome.reason.unwrap_or_default());
        request.scale = (request.scale * SLOWER).clamp(SLOW, 1.0);
    }
}

/// A request on its way to whatever runtime the subject is.
struct Start<'a> {
    request: &'a Request,
    clients: Place,
    too_fast: &'a std::cell::Cell<bool>,
}

impl Program for Start<'_> {
    fn run<R: Runtime>(self, rt: &R, nature: Nature, syscalls: Syscalls<'_>) -> Outcome {
        let Start { request, clients, too_fast } = self;
        let mut outcome = run_on(rt, &Cell { request, nature, clients, syscalls, too_fast });
        outcome.counts.syscalls = syscalls();
        outcome
    }
}
