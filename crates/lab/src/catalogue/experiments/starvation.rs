//! The seed's `a` and `b`, which hold their thread between await points: raced in one task, and spawned as two.
//!
//! Invariant of a right run: in the `race` form both arms live in one task, so no runtime can change what happens; in
//! the `spawn` form the executor decides, as far as the await points let it.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::{clock, race};
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome, Timeline};
use crate::subjects::{Nature, Yields};
use polyloop_timeline::text::count;
use polyloop_timeline::{Log, longest_poll, longest_wait, ordinal, say_us, say_wait};
use polyloop_traits::{JoinFailed, Runtime};
use std::time::Duration;

/// What both arms do: the durations of `slow`, and how they end.
#[derive(Clone, Copy, Debug)]
struct Work {
    a: [u64; 3],
    b: [u64; 4],
    yields: bool,
    /// After the last `slow`, the Book's listing sleeps before it says that it is finished.
    rest: bool,
}

/// The Book's trailing sleep.
const REST: Duration = Duration::from_millis(50);

impl Work {
    /// `seed`: the text's two listings, whose last step of `b` differs. `book`: listing 17-15, which ends both arms in a
    /// sleep. `equal`: the shorter work in both listings, so that only the yields differ.
    fn new(yields: bool, variant: &str) -> Self {
        let last = match (variant, yields) {
            ("book", _) | ("seed", false) => 350,
            _ => 35,
        };
        Self { a: [30, 10, 20], b: [75, 10, 15, last], yields, rest: variant == "book" }
    }
}

pub(crate) fn cases() -> Vec<CaseInfo> {
    let mut all = Vec::new();
    for (form, what) in [("race", "raced in one task"), ("spawn", "spawned as two tasks from outside a task")]
    {
        for (yields, how) in [("no-yields", "without a yield"), ("yields", "with a yield after each step")] {
            for (variant, which) in [
                ("seed", "the text's own times"),
                ("book", "the Book's listing 17-15, ending in a sleep"),
                ("equal", "the same work with and without yields"),
            ] {
                let about = format!("a and b hold the thread step by step, {how}, {what}; {which}");
                let path = format!("starvation/{form}/{yields}/{variant}");
                let seconds = match (form, yields, variant) {
                    (_, _, "book") => 0.52,
                    ("race", "no-yields", _) => 0.06,
                    ("spawn", "no-yields", "seed") => 0.48,
                    _ => 0.16,
                };
                all.push(experiment(path, seconds, &about));
            }
        }
    }
    all
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let raced = cell.part(1) == "race";
    let work = Work::new(cell.part(2) == "yields", cell.part(3));
    let log = cell.log();
    let (a, b) = (arm(rt, &log, "a", &work.a, work), arm(rt, &log, "b", &work.b, work));
    let joined = rt.block_on(async {
        if raced {
            race(log.trace("a", a), log.trace("b", b)).await;
            return Ok(());
        }
        let (a, b) = (rt.spawn(log.task("a", a)), rt.spawn(log.task("b", b)));
        a.await?;
        b.await
    });
    if let Err(error) = joined {
        let error: JoinFailed = error;
        return failed(error.to_string());
    }
    match raced {
        true => judge(cell, &log, &race_prediction(work), why_raced),
        false => judge(cell, &log, &spawn_prediction(work, cell.nature), why_spawned),
    }
}

/// `a` or `b` of the seed: its own future, so that it can be raced or spawned.
fn arm<R: Runtime>(
    rt: &R,
    log: &Log,
    name: &'static str,
    steps: &[u64],
    work: Work,
) -> impl Future<Output = ()> + Send + use<R> {
    let (rt, log, steps) = (rt.clone(), log.clone(), steps.to_vec());
    async move {
        log.say(name, format!("{name} started"));
        for (i, millis) in steps.iter().enumerate() {
            slow(&log, name, *millis);
            let last = i + 1 == steps.len();
            if last && work.rest {
                rt.sleep(REST).await;
            } else if work.yields {
                rt.yield_now().await;
            }
        }
        log.say(name, format!("{name} finished"));
    }
}

/// The seed's `slow`: blocks the thread, then says so.
fn slow(log: &Log, name: &str, millis: u64) {
    clock::block(Duration::from_millis(millis));
    log.say(name, format!("{name} {millis}"));
}

/// All that an arm says, in order.
fn lines(name: &str, steps: &[u64]) -> Vec<String> {
    let steps = steps.iter().map(|millis| format!("{name} {millis}"));
    [format!("{name} started")].into_iter().chain(steps).chain([format!("{name} finished")]).collect()
}

fn a_lines(work: Work) -> Vec<String> {
    lines("a", &work.a)
}

fn b_lines(work: Work) -> Vec<String> {
    lines("b", &work.b)
}

/// One task polls `a` first and then `b`, on every runtime.
fn race_prediction(work: Work) -> Prediction {
    let (a, b) = (a_lines(work), b_lines(work));
    let rule = Prediction::new();
    match (work.yields, work.rest) {
        // `a` never waits, so it ends in the task's first poll and `b` is dropped unpolled.
        (false, false) => rule.sequence(&a).never(&b),
        // `a` waits once, in its last sleep, which is over long before `b` has done its work and begun its own.
        (false, true) => rule.sequence(&[&a[..4], &b[..5], &a[4..]].concat()).never(&b[5..]),
        // Both yield after each step. When `a` ends, `b` has one step and its end to go.
        (true, false) => {
            let turns = [&a[..2], &b[..2], &a[2..3], &b[2..3], &a[3..4], &b[3..4], &a[4..]].concat();
            rule.sequence(&turns).never(&b[4..])
        }
        // As before up to `a`'s sleep; whether `b`'s longest step begins before that is over is not forced.
        (true, true) => {
            let turns = [&a[..2], &b[..2], &a[2..3], &b[2..3], &a[3..4], &b[3..4]].concat();
            rule.sequence(&turns).sequence(&a).never(&b[5..])
        }
    }
}

/// Two tasks, spawned `a` then `b` from outside a task.
fn spawn_prediction(work: Work, nature: Nature) -> Prediction {
    let (a, b) = (a_lines(work), b_lines(work));
    let own = |rule: Prediction| rule.sequence(&a).sequence(&b);
    if !nature.serial() {
        // All of `a` takes 60 ms, and on a busy machine another worker may be later than that.
        return own(Prediction::open(
            "another worker may poll b while a holds its own, as soon as it is let run",
        ));
    }
    let each = own(Prediction::new());
    match (work.yields, nature.yields) {
        // The one worker runs `a` up to its end, or to its only sleep, before it looks at `b`.
        (false, _) if work.rest => each.before(&a[..4], &b[..1]),
        (false, _) => each.before(&a, &b),
        // `started` is said in the first step's poll. The ends are not compared where they follow a sleep.
        (true, Yields::Requeue) => each.alternates(polls(&work.a, &a, work), polls(&work.b, &b, work)),
        (true, Yields::AfterDriver) => each.rounds(polls(&work.a, &a, work), polls(&work.b, &b, work)),
    }
}

/// The last line of each poll of an arm that yields: its steps, and its end unless a sleep comes before that.
fn polls<'a>(steps: &[u64], lines: &'a [String], work: Work) -> &'a [String] {
    &lines[1..1 + steps.len() + usize::from(!work.rest)]
}

fn why_raced(timeline: &Timeline) -> String {
    let polls = |label: &str| {
        let lane = timeline.lanes.iter().find(|lane| lane.label == label);
        lane.map_or(0, |lane| lane.polls.len())
    };
    let Some((label, nth, us)) = longest_poll(timeline) else { return "nothing was polled".to_owned() };
    match polls("b") {
        0 => format!(
            "a was ready at the end of its {} poll of {}, so the race was over and b was dropped without a poll",
            ordinal(nth),
            say_us(us)
        ),
        b => format!(
            "both arms are one task: it polled a {} and b {} in turn, and the other arm could not run during {label}'s longest \
             poll of {}",
            count(polls("a"), "time"),
            count(b, "time"),
            say_us(us)
        ),
    }
}

fn why_spawned(timeline: &Timeline) -> String {
    let workers = |label: &str| -> Vec<usize> {
        let lanes = timeline.lanes.iter().filter(|lane| lane.label == label);
        lanes.flat_map(|lane| &lane.polls).map(|poll| poll.worker).collect()
    };
    let overlap =
        timeline.lanes.iter().filter(|lane| lane.label == "a").flat_map(|lane| &lane.polls).any(|a| {
            let others = timeline.lanes.iter().filter(|lane| lane.label == "b").flat_map(|lane| &lane.polls);
            others.clone().any(|b| a.from_us < b.to_us && b.from_us < a.to_us && a.worker != b.worker)
        });
    match (overlap, longest_wait(timeline, "b")) {
        (true, wait) => {
            let waited = wait.filter(|wait| wait.us >= 1_000.0);
            format!(
                "a and b ran side by side, a first on worker {} and b first on worker {}{}",
                workers("a")[0],
                workers("b")[0],
                waited.map(|wait| format!("; b waited {} at most", say_us(wait.us))).unwrap_or_default()
            )
        }
        (false, Some(wait)) => say_wait("b", &wait),
        (false, None) => "b was never ready".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variants_have_the_work_that_they_are_named_for() {
        assert_eq!(Work::new(false, "seed").b, [75, 10, 15, 350]);
        assert_eq!(Work::new(true, "seed").b, [75, 10, 15, 35]);
        assert_eq!(Work::new(false, "equal").b, Work::new(true, "equal").b);
        assert!(Work::new(false, "book").rest && !Work::new(false, "seed").rest);
    }

    #[test]
    fn the_measured_orders_of_the_peers_are_what_is_predicted() {
        // The form and what it showed, the serial part of the table that the experiments came from.
        let seen = |text: &str| -> Vec<String> {
            let words = text.split_whitespace().map(|word| match word.split_at(1) {
                (name, "+") => format!("{name} started"),
                (name, ".") => format!("{name} finished"),
                (name, millis) => format!("{name} {millis}"),
            });
            words.collect()
        };
        let one = |yields| Nature { yields, ..crate::subjects::resolve("fifo").unwrap().nature };
        let work = |yields| Work::new(yields, "equal");
        for (prediction, order) in [
            (race_prediction(work(false)), "a+ a30 a10 a20 a."),
            (race_prediction(work(true)), "a+ a30 b+ b75 a10 b10 a20 b15 a."),
            (spawn_prediction(work(false), one(Yields::Requeue)), "a+ a30 a10 a20 a. b+ b75 b10 b15 b35 b."),
            (spawn_prediction(work(true), one(Yields::Requeue)), "a+ a30 b+ b75 a10 b10 a20 b15 a. b35 b."),
            (
                spawn_prediction(work(true), one(Yields::AfterDriver)),
                "a+ a30 b+ b75 b10 a10 a20 b15 b35 a. b.",
            ),
        ] {
            assert_eq!(prediction.check(&seen(order)).all(), Vec::<String>::new(), "{order}");
        }
        let side_by_side = "b+ a+ a30 b75 a10 b10 a20 b15 a. b35 b.";
        let two = Nature { workers: 2, ..one(Yields::Requeue) };
        assert!(spawn_prediction(work(true), two).is_open());
        assert!(spawn_prediction(work(true), two).check(&seen(side_by_side)).all().is_empty());
        assert!(
            !spawn_prediction(work(false), one(Yields::Requeue)).check(&seen(side_by_side)).all().is_empty()
        );
    }
}
