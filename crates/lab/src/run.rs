//! Runs a plan: experiments once each, then rounds of benches in an order that is drawn anew for every round.
//!
//! Invariant: a hang, a crash or Ctrl-C costs one cell, never the run. What was measured so far is on disk after the
//! experiments and after every round.

use crate::cell::{Kind, Outcome, Request, Status};
use crate::collect::collect;
use crate::counted;
use crate::interrupt::Interrupt;
use crate::plan::Plan;
use crate::process;
use crate::progress::Progress;
use crate::random::Random;
use crate::record::{Alone, Record};
use crate::results::{Results, Run};
use polyloop_timeline::text::clean;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// What the runner needs besides the plan.
pub(crate) struct Runner<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) program: &'a Path,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) counting: Counting,
}

/// Whether operations are counted, in processes of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// They are not.
    Off,
    /// Once for each bench, after the rounds.
    Beside,
    /// Each round counts, and nothing is timed.
    Only,
}

impl Runner<'_> {
    /// Runs everything. `run` describes the run and is completed here; `save` is called with what there is so far.
    pub(crate) fn run(&self, mut run: Run, save: &mut dyn FnMut(&Results)) -> Results {
        let started = process::now();
        let mut records: Vec<Record> = self.plan.cells.iter().map(|_| Record::default()).collect();
        self.experiments(&mut records);
        run.seconds = started.elapsed().as_secs_f64();
        let has_benches = self.plan.running(Kind::Bench).next().is_some();
        if has_benches {
            save(&collect(self.plan, &records, Run { complete: false, ..run.clone() }));
        }
        if has_benches && !self.interrupt.is_set() {
            self.benches(&mut records, &mut run, started, save);
        }
        run.seconds = started.elapsed().as_secs_f64();
        run.complete = !self.interrupt.is_set();
        let results = collect(self.plan, &records, run);
        save(&results);
        results
    }

    /// Experiments have verdicts, not times: some may run side by side. What a busy machine may have caused is asked
    /// again alone; see [`Record::chances`].
    fn experiments(&self, records: &mut [Record]) {
        let cells: Vec<usize> = self.plan.running(Kind::Experiment).collect();
        let next = AtomicUsize::new(0);
        let shared = Mutex::new((Progress::new("experiments", cells.len()), records));
        let worker = || {
            while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(outcome) = self.cell(*cell, 0) else { return };
                let Ok(mut guard) = shared.lock() else { return };
                let (progress, records) = &mut *guard;
                progress.step(&self.name(*cell));
                records[*cell].add(outcome);
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.plan.jobs.min(cells.len()) {
                scope.spawn(worker);
            }
        });
        let Ok((mut progress, records)) = shared.into_inner() else { return };
        for cell in cells {
            if self.plan.jobs > 1 && self.ask_alone(&mut progress, cell, &mut records[cell]).is_none() {
                break;
            }
            self.say_if_odd(&mut progress, cell, &records[cell]);
        }
        progress.finish();
    }

    /// Gives a cell its chances alone. The first answer is said now and stays in the record. `None`: stopped by Ctrl-C.
    fn ask_alone(&self, progress: &mut Progress, cell: usize, record: &mut Record) -> Option<()> {
        let chances = record.chances();
        if chances > 0 {
            let (status, reason) = record.status();
            let reason = clean(reason.unwrap_or("no reason given"));
            let word = crate::view::status_word(status);
            progress.say(&format!(
                "{word} beside another cell, asked again alone: {}: {reason}",
                self.name(cell)
            ));
        }
        for _ in 0..chances {
            if record.add_alone(self.cell(cell, 0)?) == Alone::Stands {
                break;
            }
        }
        Some(())
    }

    fn benches(
        &self,
        records: &mut [Record],
        run: &mut Run,
        started: Instant,
        save: &mut dyn FnMut(&Results),
    ) {
        let cells: Vec<usize> = self.plan.running(Kind::Bench).collect();
        let mut progress = Progress::new("bench cells", cells.len() * self.plan.rounds);
        for round in 0..self.plan.rounds {
            let mut order = cells.clone();
            Random::for_purpose(self.plan.seed.wrapping_add(round as u64), "order").shuffle(&mut order);
            for cell in order {
                if records[cell].is_over() {
                    progress.step("");
                    continue;
                }
                let Some(outcome) = self.answer(cell, round) else {
                    progress.finish();
                    return;
                };
                progress.step(&format!("round {} · {}", round + 1, self.name(cell)));
                records[cell].add(outcome);
                if records[cell].is_over() {
                    self.say_if_odd(&mut progress, cell, &records[cell]);
                }
            }
            run.seconds = started.elapsed().as_secs_f64();
            if round + 1 < self.plan.rounds {
                save(&collect(self.plan, records, Run { complete: false, ..run.clone() }));
            }
        }
        progress.finish();
        if self.counting == Counting::Beside {
            self.count(&cells, records);
        }
    }

    fn count(&self, cells: &[usize], records: &mut [Record]) {
        let mut progress = Progress::new("counts", cells.len());
        for cell in cells.iter().copied() {
            if records[cell].is_over() {
                progress.step("");
                continue;
            }
            let Some(counted) = self.counted(cell, 0) else { break };
            progress.step(&self.name(cell));
            records[cell].add_counted(counted);
        }
        progress.finish();
    }

    fn answer(&self, cell: usize, round: usize) -> Option<Outcome> {
        if self.counting == Counting::Only { self.counted(cell, round) } else { self.cell(cell, round) }
    }

    fn counted(&self, cell: usize, round: usize) -> Option<Outcome> {
        counted::run(&self.plan.request(cell, round), self.plan.limit(cell), self.interrupt)
    }

    fn cell(&self, cell: usize, round: usize) -> Option<Outcome> {
        let request: Request = self.plan.request(cell, round);
        process::run(self.program, &request, self.plan.limit(cell), self.interrupt)
    }

    /// What a person reads, in the progress and in the log.
    fn name(&self, cell: usize) -> String {
        let planned = &self.plan.cells[cell];
        clean(&format!(
            "{} · {}",
            self.plan.entries[planned.entry].subject.name, self.plan.cases[planned.case].path
        ))
    }

    fn say_if_odd(&self, progress: &mut Progress, cell: usize, record: &Record) {
        let (status, reason) = record.status();
        if matches!(status, Status::Fail | Status::Timeout | Status::Crash) {
            let reason = clean(reason.unwrap_or("no reason given"));
            progress.say(&format!("{}: {}: {reason}", crate::view::status_word(status), self.name(cell)));
        }
    }
}
