//! Progress on stderr: one line that is drawn over on a terminal, plain lines elsewhere.
//!
//! Invariant: nothing here reaches stdout, and a plain log grows with what happened, not with how long it took.

use crate::process::now;
use crate::say::say;
use polyloop_timeline::units;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::{Duration, Instant};

/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(100);
const BAR: usize = 24;

/// One phase: so many steps.
#[derive(Debug)]
pub(crate) struct Progress {
    title: String,
    steps: usize,
    done: usize,
    started: Instant,
    drawn: Option<Instant>,
    terminal: bool,
    width: usize,
}

impl Progress {
    /// Begins a phase.
    pub(crate) fn new(title: &str, steps: usize) -> Self {
        let terminal =
            io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let progress = Self {
            title: title.to_owned(),
            steps,
            done: 0,
            started: now(),
            drawn: None,
            terminal,
            width: polyloop_timeline::terminal::width_of_stderr().unwrap_or(80),
        };
        if !terminal && steps > 0 {
            say!("{title}: {steps} to run");
        }
        progress
    }

    /// One step is done; `now_running` is shown.
    pub(crate) fn step(&mut self, now_running: &str) {
        self.done += 1;
        if self.terminal && self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY) {
            self.drawn = Some(now());
            self.draw(now_running);
        }
        // A log gets a line for each tenth of a long phase.
        let tenth = |done: usize| done * 10 / self.steps.max(1);
        if !self.terminal
            && self.steps >= 20
            && self.done < self.steps
            && tenth(self.done) > tenth(self.done - 1)
        {
            let took = units::duration(self.started.elapsed().as_secs_f64());
            say!("{}: {}/{} after {took}", self.title, self.done, self.steps);
        }
    }

    /// A line that stays: what a reader should not miss.
    pub(crate) fn say(&mut self, line: &str) {
        self.clear();
        say!("{line}");
        self.drawn = None;
    }

    /// Ends the phase.
    pub(crate) fn finish(self) {
        self.clear();
        if self.steps > 0 {
            let took = units::duration(self.started.elapsed().as_secs_f64());
            say!("{}: {}/{} in {took}", self.title, self.done, self.steps);
        }
    }

    fn draw(&self, now_running: &str) {
        let part = self.done as f64 / self.steps.max(1) as f64;
        let full = ((part * BAR as f64) as usize).min(BAR);
        let mut line = format!(
            "{} {}{} {}/{}",
            self.title,
            "█".repeat(full),
            "░".repeat(BAR - full),
            self.done,
            self.steps
        );
        let elapsed = self.started.elapsed().as_secs_f64();
        if self.done > 2 {
            let left = elapsed / self.done as f64 * (self.steps - self.done.min(self.steps)) as f64;
            let _ = write!(line, "  {} left", units::duration(left.max(1.0).round()));
        }
        let _ = write!(line, "  {now_running}");
        let line: String = line.chars().take(self.width.saturating_sub(1)).collect();
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[2K{line}");
        let _ = stderr.flush();
    }

    fn clear(&self) {
        if self.terminal && self.drawn.is_some() {
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[2K");
            let _ = stderr.flush();
        }
    }
}
