//! Tasks, files, processes, signals and time by tokio's names, on every combination. A process of its own, because
//! children and signals are the process's.

#![forbid(unsafe_code)]

mod cancellation;
mod fs;
mod halves;
mod identity;
mod local_set;
mod process;
mod signal;
mod stdio;
mod task_locals;
mod time;

use polyloop::{Combination, Runtime};

/// Runs `body` on each combination.
fn everywhere(body: fn(&Runtime)) {
    everywhere_by_name(|name| body(&Runtime::from_name(name).unwrap()));
}

/// Runs `body` with the name of each combination.
fn everywhere_by_name(mut body: impl FnMut(&str)) {
    for combination in Combination::ALL {
        println!("{combination}");
        body(&combination.to_string());
    }
}
