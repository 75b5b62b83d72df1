//! `select!` over two arms that are both always ready: a biased one takes the first for ever, a fair one takes turns.
//!
//! Invariant: all of it is one poll of one future, so that no runtime can change it; that it comes out the same everywhere
//! is the lesson.

use crate::catalogue::info::experiment;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, judge};
use crate::cell::{Better, CaseInfo, Outcome, Sample};
use polyloop_traits::Runtime;
use std::future::ready;

/// How often it is selected.
const ROUNDS: usize = 400;
/// A fair choice that takes an arm less often than this is no fair choice: one in 10²³ runs is so far off by chance.
const SHARE: usize = 100;
const FIRST: &str = "first arm";
const SECOND: &str = "second arm";

pub(crate) fn cases() -> Vec<CaseInfo> {
    [
        ("biased", "`select! { biased; … }` 400 times over two arms that are always ready: the second is never taken"),
        ("fair", "`select!` 400 times over two arms that are always ready: both are taken, each at least 100 times"),
    ]
    .map(|(form, about)| experiment(format!("select-bias/{form}"), 0.01, about))
    .into()
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let log = cell.log();
    let biased = cell.part(1) == "biased";
    rt.block_on(log.trace("select", async {
        for _ in 0..ROUNDS {
            let taken = match biased {
                true => polyloop::select! {
                    biased;
                    () = ready(()) => FIRST,
                    () = ready(()) => SECOND,
                },
                false => polyloop::select! {
                    () = ready(()) => FIRST,
                    () = ready(()) => SECOND,
                },
            };
            log.say("select", taken);
        }
    }));
    let events = log.events();
    let taken = |arm: &str| events.iter().filter(|event| *event == arm).count();
    let (first, second) = (taken(FIRST), taken(SECOND));
    let judged = judge(cell, &log, &prediction(biased), |_| match biased {
        true => format!(
            "the first arm is asked first and was ready {first} times, so the second was taken {second} times"
        ),
        false => format!("each time it is drawn which arm is asked first: {first} to {second}"),
    });
    Outcome { samples: vec![passed_over(&events)], ..judged }
}

/// How often in a row the arm was passed over, although it was ready, that was passed over most: all rounds for one that
/// starves, and seldom more than a dozen where it is drawn.
fn passed_over(events: &[String]) -> Sample {
    let longest = events.chunk_by(|a, b| a == b).map(<[String]>::len).max();
    Sample {
        name: "passed_over".to_owned(),
        unit: "times".to_owned(),
        better: Better::Lower,
        value: longest.unwrap_or_default() as f64,
    }
}

fn prediction(biased: bool) -> Prediction {
    match biased {
        true => Prediction::new().times(FIRST, ROUNDS).never(&[SECOND]),
        false => Prediction::new().at_least(FIRST, SHARE).at_least(SECOND, SHARE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_counted_how_often_an_arm_is_passed_over_in_a_row() {
        let of =
            |arms: &[&str]| passed_over(&arms.iter().map(|arm| (*arm).to_owned()).collect::<Vec<_>>()).value;
        assert_eq!(of(&[FIRST; 7]), 7.0);
        assert_eq!(of(&[FIRST, SECOND, SECOND, FIRST]), 2.0);
        assert_eq!(of(&[]), 0.0);
    }

    #[test]
    fn a_starved_arm_is_predicted_for_one_and_contradicts_the_other() {
        let events = |second: usize| -> Vec<String> {
            let arm = |i| if i < second { SECOND } else { FIRST };
            (0..ROUNDS).map(|i| arm(i).to_owned()).collect()
        };
        let fits = |biased, second| prediction(biased).check(&events(second)).all().is_empty();
        assert!(fits(true, 0) && !fits(true, 1));
        assert!(fits(false, 180) && !fits(false, 0) && !fits(false, SHARE - 1) && !fits(false, ROUNDS - 1));
    }
}
