//! Why a timeline looks so: the longest wait, what it waited behind, and a sentence about it.
//!
//! Invariant: whatever is said is in the recording.

use crate::{Lane, Slice, Timeline, units};

/// A stretch for which a lane was ready and not polled.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// How long, in microseconds.
    pub us: f64,
    /// The other lane whose poll covers most of it: its label, which of its polls counted from 1, and its worker.
    pub behind: Option<(String, usize, usize)>,
}

/// The longest time for which `label` was ready and not polled.
#[must_use]
pub fn longest_wait(timeline: &Timeline, label: &str) -> Option<Wait> {
    let lane = timeline.lanes.iter().find(|lane| lane.label == label)?;
    let waits = lane.waits(timeline.total_us).into_iter();
    let (from, to) = waits.max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)))?;
    Some(Wait { us: to - from, behind: cover(timeline, label, from, to) })
}

/// The poll of another lane that covers most of a stretch. A future that `label` is a part of is no other one.
fn cover(timeline: &Timeline, label: &str, from: f64, to: f64) -> Option<(String, usize, usize)> {
    let around = around(timeline, label);
    let others = timeline.lanes.iter().filter(|lane| lane.label != label && !around.contains(&&*lane.label));
    let overlap = |poll: &Slice| poll.to_us.min(to) - poll.from_us.max(from);
    let found = numbered(others).max_by(|a, b| overlap(a.poll).total_cmp(&overlap(b.poll)))?;
    (overlap(found.poll) * 2.0 > to - from).then(|| {
        let found = innermost(timeline, found);
        (found.lane.label.clone(), found.nth, found.poll.worker)
    })
}

/// A poll and where it stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    lane: &'a Lane,
    /// Which one of its lane, counted from 1.
    nth: usize,
    poll: &'a Slice,
}

impl Place<'_> {
    fn length(&self) -> f64 {
        self.poll.to_us - self.poll.from_us
    }
}

/// The single polls. Those that are drawn as one are counted: none of them is long, and nobody waited for the whole of them.
fn numbered<'a>(lanes: impl Iterator<Item = &'a Lane>) -> impl Iterator<Item = Place<'a>> {
    lanes.flat_map(|lane| {
        let mut before = 0_usize;
        lane.polls.iter().filter_map(move |poll| {
            let nth = before.saturating_add(1);
            before = before.saturating_add(poll.polls());
            poll.joined.is_none().then_some(Place { lane, nth, poll })
        })
    })
}

fn holds(outer: &Slice, inner: &Slice) -> bool {
    outer.worker == inner.worker && outer.from_us <= inner.from_us && inner.to_us <= outer.to_us
}

/// The labels of the futures that this one is a part of: every poll of it is within one of theirs.
fn around<'a>(timeline: &'a Timeline, label: &str) -> Vec<&'a str> {
    let Some(inner) = timeline.lanes.iter().find(|lane| lane.label == label && !lane.polls.is_empty()) else {
        return Vec::new();
    };
    let within =
        |outer: &Lane| inner.polls.iter().all(|poll| outer.polls.iter().any(|around| holds(around, poll)));
    let outer = timeline.lanes.iter().filter(|lane| lane.label != label && within(lane));
    outer.map(|lane| lane.label.as_str()).collect()
}

/// The poll within this one, of a part of its future, that takes nearly all of it; or this one.
fn innermost<'a>(timeline: &'a Timeline, outer: Place<'a>) -> Place<'a> {
    let parts = numbered(timeline.lanes.iter().filter(|lane| lane.label != outer.lane.label));
    let nearly = parts.filter(|part| holds(outer.poll, part.poll) && part.length() > 0.9 * outer.length());
    nearly.min_by(|a, b| a.length().total_cmp(&b.length())).unwrap_or(outer)
}

/// When `event` first happened, in microseconds.
#[must_use]
pub fn at(timeline: &Timeline, event: &str) -> Option<f64> {
    let marks = timeline.lanes.iter().flat_map(|lane| &lane.marks);
    marks.filter(|mark| mark.text == event).map(|mark| mark.at_us).min_by(f64::total_cmp)
}

/// The longest poll of any lane: its label, which one counted from 1, and its length in microseconds.
#[must_use]
pub fn longest_poll(timeline: &Timeline) -> Option<(String, usize, f64)> {
    longest(timeline).map(|found| (found.lane.label.clone(), found.nth, found.length()))
}

fn longest(timeline: &Timeline) -> Option<Place<'_>> {
    let found = numbered(timeline.lanes.iter()).max_by(|a, b| a.length().total_cmp(&b.length()))?;
    Some(innermost(timeline, found))
}

/// Less than this is no wait that a person sees, in microseconds.
const SEEN_US: f64 = 10_000.0;

/// One sentence about any timeline: who was held up and by whom, or that nobody was.
#[must_use]
pub fn why(timeline: &Timeline) -> String {
    if let Some(lane) = timeline.lanes.iter().find(|lane| lane.polls.is_empty()) {
        return never_polled(timeline, &lane.label);
    }
    let waits = timeline.lanes.iter().filter_map(|lane| Some((lane, longest_wait(timeline, &lane.label)?)));
    let wait = waits.max_by(|a, b| a.1.us.total_cmp(&b.1.us));
    let longest = longest(timeline);
    match (wait, longest) {
        (Some((lane, wait)), _) if wait.us >= SEEN_US => {
            let said = say_wait(&lane.label, &wait);
            match &wait.behind {
                Some((other, ..)) if in_one_task(timeline, &lane.label, other) => {
                    said + ": both are parts of one task, and a task is polled by one worker at a time"
                }
                Some(_) => said + ": until a poll ends, its worker polls nobody else",
                None => said,
            }
        }
        (_, Some(longest)) if longest.length() >= SEEN_US => {
            let meanwhile = match ran_beside(timeline, longest) {
                true => "whoever was ready meanwhile found another worker",
                false => "nobody else was seen waiting meanwhile",
            };
            format!(
                "{}'s {} poll held worker {} for {}, and {meanwhile}",
                longest.lane.label,
                ordinal(longest.nth),
                longest.poll.worker,
                say_us(longest.length())
            )
        }
        (wait, Some(longest)) => format!(
            "nobody was held up: the longest poll took {}, and the longest wait for one {}",
            units::value(longest.length(), "µs"),
            units::value(wait.map_or(0.0, |(_, wait)| wait.us), "µs")
        ),
        (_, None) => "nothing was polled".to_owned(),
    }
}

/// Whether another worker polled something while this poll lasted.
fn ran_beside(timeline: &Timeline, long: Place<'_>) -> bool {
    let (from, to) = (long.poll.from_us, long.poll.to_us);
    let began = |poll: &Slice| (from..to).contains(&poll.from_us);
    let went_on = |poll: &Slice| poll.joined.is_some() && poll.from_us < to && poll.to_us > from;
    let others = timeline.lanes.iter().flat_map(|lane| &lane.polls);
    others.filter(|poll| poll.worker != long.poll.worker).any(|poll| began(poll) || went_on(poll))
}

/// Whether both are parts of one future that has a lane.
fn in_one_task(timeline: &Timeline, one: &str, other: &str) -> bool {
    let (one, other) = (around(timeline, one), around(timeline, other));
    one.iter().any(|label| other.contains(label))
}

/// Of an arm (`race 2nd`, `join#2 1st`) its siblings are the reason, of any other future the end of the run.
fn never_polled(timeline: &Timeline, label: &str) -> String {
    let sooner = label.rsplit_once(' ').and_then(|(group, _)| {
        let of = |lane: &&Lane| lane.label.rsplit_once(' ').is_some_and(|(other, _)| other == group);
        let siblings = timeline.lanes.iter().filter(of);
        let longest = numbered(siblings).max_by(|a, b| a.length().total_cmp(&b.length()))?;
        Some((longest, group.split('#').next().unwrap_or(group)))
    });
    match sooner {
        Some((poll, what)) => format!(
            "{label} was never polled: worker {} sat in {}'s {} poll for {}, and with that the {what} was over",
            poll.poll.worker,
            poll.lane.label,
            ordinal(poll.nth),
            say_us(poll.length())
        ),
        None => format!("{label} was never polled before the run was over"),
    }
}

/// `b was ready for 60 ms while worker 0 sat in a's first poll`.
#[must_use]
pub fn say_wait(label: &str, wait: &Wait) -> String {
    let time = say_us(wait.us);
    match &wait.behind {
        Some((other, nth, worker)) => {
            format!(
                "{label} was ready for {time} while worker {worker} sat in {other}'s {} poll",
                ordinal(*nth)
            )
        }
        None => format!("{label} was ready for {time}, and no single poll took most of that"),
    }
}

/// A time for a sentence.
#[must_use]
pub fn say_us(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A place for a sentence.
#[must_use]
pub fn ordinal(n: usize) -> String {
    match n {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        _ => nth(n),
    }
}

/// A place for a label: `1st`, `22nd`.
#[must_use]
pub fn nth(n: usize) -> String {
    match (n % 10, n / 10 % 10) {
        (1, tens) if tens != 1 => format!("{n}st"),
        (2, tens) if tens != 1 => format!("{n}nd"),
        (3, tens) if tens != 1 => format!("{n}rd"),
        _ => format!("{n}th"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(from_us: f64, to_us: f64) -> Slice {
        Slice::new(from_us, to_us, 0)
    }

    fn lane(label: &str, polls: Vec<Slice>, wakes_us: Vec<f64>) -> Lane {
        Lane { label: label.to_owned(), polls, wakes_us, ..Lane::default() }
    }

    #[test]
    fn a_poll_that_covers_little_of_a_wait_is_not_its_reason() {
        let a = lane("a", vec![slice(0.0, 40.0)], vec![]);
        let b = lane("b", vec![slice(100.0, 101.0)], vec![0.0]);
        let timeline = Timeline { lanes: vec![a, b], ..Timeline::default() };
        let wait = longest_wait(&timeline, "b").unwrap();
        assert_eq!(wait, Wait { us: 100.0, behind: None });
        assert_eq!(say_wait("b", &wait), "b was ready for 100 µs, and no single poll took most of that");
    }

    #[test]
    fn many_short_polls_that_are_drawn_as_one_are_no_poll_to_wait_behind_and_are_counted() {
        let mut many = slice(0.0, 10.0);
        (0..98).for_each(|_| many.join(&slice(11.0, 90_000.0)));
        many.joined.as_mut().unwrap().longest_us = 40.0;
        let a = lane("a", vec![many, slice(90_000.0, 190_000.0)], vec![]);
        let b = lane("b", vec![slice(80_000.0, 80_001.0), slice(190_000.0, 190_001.0)], vec![0.0, 90_000.0]);
        let timeline = timeline(vec![a, b]);
        assert_eq!(longest_wait(&timeline, "b").unwrap().behind, Some(("a".to_owned(), 100, 0)));
        let first = Timeline {
            lanes: timeline
                .lanes
                .into_iter()
                .map(|lane| Lane { polls: vec![lane.polls[0].clone()], ..lane })
                .collect(),
            ..Timeline::default()
        };
        assert_eq!(longest_wait(&first, "b").unwrap().behind, None);
        assert_eq!(longest_poll(&first).unwrap().0, "b");
    }

    #[test]
    fn the_longest_wait_names_the_poll_it_waited_behind() {
        let a = lane("a", vec![slice(0.0, 10.0), slice(20.0, 80_000.0)], vec![0.0]);
        let b = lane("b", vec![slice(11.0, 19.0), slice(80_001.0, 80_002.0)], vec![0.0, 15.0]);
        let timeline = Timeline { lanes: vec![a, b], ..Timeline::default() };
        let wait = longest_wait(&timeline, "b").unwrap();
        assert_eq!(wait.us, 80_001.0 - 19.0, "from the end of the poll in which it was woken");
        assert_eq!(say_wait("b", &wait), "b was ready for 80 ms while worker 0 sat in a's second poll");
    }

    /// `c` was woken beside the nap, and the run ended with the nap.
    #[test]
    fn who_was_never_polled_again_waited_to_the_end() {
        let nap = lane("nap", vec![slice(10.0, 3e6)], vec![0.0]);
        let late = lane("c", vec![slice(0.0, 5.0)], vec![1e6]);
        let mut timeline = Timeline { lanes: vec![nap, late], total_us: 3e6, ..Timeline::default() };
        assert_eq!(
            why(&timeline),
            "c was ready for 2.00 s while worker 0 sat in nap's first poll: until a poll ends, its worker polls nobody else"
        );
        timeline.lanes[1].ended_us = Some(5.0);
        assert_eq!(longest_wait(&timeline, "c"), None, "whoever wakes what is over");
        assert_eq!(longest_wait(&timeline, "unknown"), None);
    }

    #[test]
    fn places_are_said_as_people_say_them() {
        let said = [1, 3, 4, 11, 12, 13, 21, 22, 53, 101, 111].map(ordinal);
        let expected =
            ["first", "third", "4th", "11th", "12th", "13th", "21st", "22nd", "53rd", "101st", "111th"];
        assert_eq!(said, expected);
        assert_eq!(
            [1, 2, 3, 4, 11, 112, 1003].map(nth),
            ["1st", "2nd", "3rd", "4th", "11th", "112th", "1003rd"]
        );
    }

    fn timeline(lanes: Vec<Lane>) -> Timeline {
        Timeline { lanes, ..Timeline::default() }
    }

    /// `yields`: both arms of a race live in main.
    #[test]
    fn an_arm_waits_behind_the_other_arm_and_not_behind_what_both_are_parts_of() {
        let main = lane("main", vec![slice(0.0, 105_000.0), slice(105_010.0, 115_000.0)], vec![30_000.0]);
        let a =
            lane("race 1st", vec![slice(1.0, 30_000.0), slice(105_011.0, 114_000.0)], vec![0.0, 30_000.0]);
        let b = lane("race 2nd", vec![slice(30_001.0, 104_999.0)], vec![1.0]);
        let timeline = timeline(vec![main, a, b]);
        assert_eq!(
            why(&timeline),
            "race 1st was ready for 75 ms while worker 0 sat in race 2nd's first poll: both are parts of one task, and a task \
             is polled by one worker at a time"
        );
    }

    /// A task waits behind the arm that blocks, and not behind the main future around it.
    #[test]
    fn the_part_that_blocks_is_named_and_not_the_whole() {
        let main = lane("main", vec![slice(0.0, 50_000.0)], vec![]);
        let arm = lane("race 1st", vec![slice(10.0, 49_990.0)], vec![0.0]);
        let task = lane("task 1", vec![slice(50_001.0, 50_002.0)], vec![5.0]);
        let timeline = timeline(vec![main, arm, task]);
        assert_eq!(longest_poll(&timeline).unwrap().0, "race 1st");
        assert_eq!(
            why(&timeline),
            "task 1 was ready for 50 ms while worker 0 sat in race 1st's first poll: until a poll ends, its worker polls nobody \
             else"
        );
    }

    #[test]
    fn a_sentence_about_any_timeline_says_what_is_in_it() {
        let quick = |label: &str| lane(label, vec![slice(10.0, 20.0)], vec![4.0]);
        let never =
            vec![lane("race 1st", vec![slice(0.0, 60_000.0)], vec![]), lane("race 2nd", vec![], vec![])];
        let alone = vec![quick("main"), lane("task 1", vec![], vec![])];
        let slow = lane("task 1", vec![Slice::new(0.0, 3e6, 1)], vec![0.0]);
        for (lanes, expected) in [
            (vec![], "nothing was polled"),
            (
                vec![quick("main")],
                "nobody was held up: the longest poll took 10 µs, and the longest wait for one 6 µs",
            ),
            (
                never,
                "race 2nd was never polled: worker 0 sat in race 1st's first poll for 60 ms, and with that the race was over",
            ),
            (alone, "task 1 was never polled before the run was over"),
            (
                vec![quick("main"), slow.clone()],
                "task 1's first poll held worker 1 for 3.00 s, and whoever was ready meanwhile found another worker",
            ),
            (
                vec![slow],
                "task 1's first poll held worker 1 for 3.00 s, and nobody else was seen waiting meanwhile",
            ),
        ] {
            assert_eq!(why(&timeline(lanes)), expected);
        }
    }
}
