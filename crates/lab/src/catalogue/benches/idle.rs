//! A runtime with nothing to do: what it burns, and how to see that.

use crate::catalogue::info::{Adjust, EXECUTOR_REACTOR, bench};
use crate::catalogue::kit::clock;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::kit::measure::sample;
use crate::catalogue::{Cell, report};
use crate::cell::{Better, CaseInfo, Outcome, Sample};
use polyloop_traits::{Join, Runtime};
use std::fs;
use std::future::pending;
use std::thread;
use std::time::{Duration, Instant};

/// When a runtime has begun to wait.
const SETTLE: Duration = Duration::from_millis(200);
/// When watchers that linger after the last work are asleep, too: ours for a second.
const ASLEEP: Duration = Duration::from_millis(1_200);
const WINDOW: Duration = Duration::from_millis(500);

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about =
        "CPU time that a runtime with one waiting task burns in a second, when it has waited for 1.2 s";
    vec![bench("idle_cpu", "µs/s", EXECUTOR_REACTOR, about).takes(1.8).not_quick()]
}

pub(crate) fn run<R: Runtime>(rt: &R, _: &Cell<'_>) -> Outcome {
    let gate = Gate::default();
    let open = gate.clone();
    rt.spawn(pending::<()>()).detach();
    let watch = thread::spawn(move || {
        let burnt = burnt();
        open.open();
        burnt
    });
    rt.block_on(gate.wait());
    report(watch.join().unwrap_or_else(|_| Err("the watching thread panicked".to_owned())))
}

/// Watches the process for a while, from a thread that sleeps meanwhile.
fn burnt() -> Result<Vec<Sample>, String> {
    clock::block(SETTLE);
    let (start, cpu) = (clock::now(), clock::cpu());
    clock::block(ASLEEP - SETTLE);
    let settling = rate(cpu, start);
    // The CPU time is read inside of what is read from files, which costs more than an idle runtime burns.
    let switches = others_switches()?;
    let (start, cpu) = (clock::now(), clock::cpu());
    clock::block(WINDOW);
    let (idle, seconds) = (rate(cpu, start), start.elapsed().as_secs_f64());
    let switches = others_switches()?.saturating_sub(switches);
    Ok(vec![
        sample("cpu", "µs/s", Better::Lower, idle),
        sample("switches", "1/s", Better::Lower, switches as f64 / seconds),
        // What it burns in the first second after the last work.
        sample("settling", "µs/s", Better::Lower, settling),
    ])
}

/// Microseconds of CPU time for each second since then.
fn rate(cpu: Duration, start: Instant) -> f64 {
    clock::cpu().saturating_sub(cpu).as_secs_f64() * 1e6 / start.elapsed().as_secs_f64()
}

/// Voluntary context switches of all threads of this process but the calling one.
fn others_switches() -> Result<u64, String> {
    const FIELD: &str = "voluntary_ctxt_switches:";
    let own = field("/proc/thread-self/status", FIELD)?;
    let tasks = fs::read_dir("/proc/self/task").map_err(|error| format!("/proc/self/task: {error}"))?;
    // A thread that ends meanwhile has no file any more, and is not counted.
    let each =
        tasks.flatten().filter_map(|task| field(&task.path().join("status").to_string_lossy(), FIELD).ok());
    Ok(each.sum::<u64>().saturating_sub(own))
}

/// The resident set of this process in bytes.
///
/// # Errors
///
/// Where there is no `/proc`.
pub(super) fn resident() -> Result<u64, String> {
    field("/proc/self/status", "VmRSS:").map(|kib| kib * 1024)
}

/// A number in a file of `NAME: number` lines.
fn field(path: &str, name: &str) -> Result<u64, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let value =
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    value.ok_or_else(|| format!("{path} has no `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_process_allocates_shows_in_its_resident_set() {
        let before = resident().unwrap();
        let block = vec![1u8; 64 << 20];
        let after = resident().unwrap();
        assert!(after > before + (32 << 20), "{before} {after}");
        drop(block);
        assert!(field("/proc/self/status", "NoSuchField:").unwrap_err().contains("NoSuchField"));
    }
}
