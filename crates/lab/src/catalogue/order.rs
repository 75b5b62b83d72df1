//! Predictions: forced partial orders of labelled events.
//!
//! Invariant: a prediction names only what every correct run must show. Times, ties and whole outputs are never compared,
//! so a verdict is the same on a busy machine as on a quiet one. What follows only from one sleep being longer than
//! another is kept apart: a machine that stands still for the difference breaks it, and then longer sleeps must tell.

use std::fmt;

/// What must be so.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// Each label happens; all of one step come before all of the next. Within a step any order will do.
    Order(Vec<Vec<String>>),
    /// None of these happens.
    Never(Vec<String>),
    /// This one happens so many times.
    Times(String, usize),
    /// This one happens so many times or more.
    AtLeast(String, usize),
    /// This one happens so many times or less, or not at all.
    AtMost(String, usize),
}

/// What a run contradicts, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Whatever the machine did.
    pub(crate) structure: Vec<String>,
    /// As long as the machine did not stand still.
    pub(crate) time: Vec<String>,
}

/// A set of rules, or the statement that the runtime forces nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prediction {
    rules: Vec<Rule>,
    /// Rules that follow from the distances between sleeps.
    by_time: Vec<Rule>,
    /// Why nothing is forced. Rules beside it are what any program shows that comes to its end: a run may break them, and keeping
    /// them is no verdict.
    open: Option<String>,
}

fn owned<S: ToString>(labels: &[S]) -> Vec<String> {
    labels.iter().map(ToString::to_string).collect()
}

impl Prediction {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Nothing is forced, and `why` says so: no observation is a verdict. Only what is added contradicts it.
    pub(crate) fn open(why: impl Into<String>) -> Self {
        Self { open: Some(why.into()), ..Self::default() }
    }

    /// Whether what fits it is no verdict.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some() || (self.rules.is_empty() && self.by_time.is_empty())
    }

    /// These happen one after the other.
    pub(crate) fn sequence<S: ToString>(self, labels: &[S]) -> Self {
        self.steps(labels.iter().map(|label| vec![label.to_string()]).collect())
    }

    /// All of `first` come before any of `then`.
    pub(crate) fn before<S: ToString, T: ToString>(self, first: &[S], then: &[T]) -> Self {
        self.steps(vec![owned(first), owned(then)])
    }

    /// Step by step, in any order within a step.
    pub(crate) fn steps(mut self, steps: Vec<Vec<String>>) -> Self {
        self.rules.push(Rule::Order(steps));
        self
    }

    /// The `i`th labels of both lists come before the `i + 1`th of either.
    pub(crate) fn rounds<S: ToString>(self, a: &[S], b: &[S]) -> Self {
        let rounds = (0..a.len().max(b.len())).map(|i| {
            let pair = [a.get(i), b.get(i)];
            pair.into_iter().flatten().map(ToString::to_string).collect()
        });
        self.steps(rounds.collect())
    }

    /// Strictly in turn: `a[0]`, `b[0]`, `a[1]`, …; the longer list ends alone.
    pub(crate) fn alternates<S: ToString>(self, a: &[S], b: &[S]) -> Self {
        let turns = (0..a.len().max(b.len())).flat_map(|i| [a.get(i), b.get(i)]);
        let turns: Vec<String> = turns.flatten().map(ToString::to_string).collect();
        self.sequence(&turns)
    }

    /// None of these happens.
    pub(crate) fn never<S: ToString>(mut self, labels: &[S]) -> Self {
        self.rules.push(Rule::Never(owned(labels)));
        self
    }

    /// This one happens `times` times.
    pub(crate) fn times(mut self, label: impl ToString, times: usize) -> Self {
        self.rules.push(Rule::Times(label.to_string(), times));
        self
    }

    /// This one happens `times` times or more.
    pub(crate) fn at_least(mut self, label: impl ToString, times: usize) -> Self {
        self.rules.push(Rule::AtLeast(label.to_string(), times));
        self
    }

    /// This one happens `times` times or less, or not at all.
    pub(crate) fn at_most(mut self, label: impl ToString, times: usize) -> Self {
        self.rules.push(Rule::AtMost(label.to_string(), times));
        self
    }

    /// With the rules of `other`, which follow only from some sleeps being longer than others.
    pub(crate) fn by_time(mut self, other: Self) -> Self {
        self.by_time.extend(other.rules);
        self
    }

    /// What the events contradict.
    pub(crate) fn check(&self, events: &[String]) -> Wrong {
        let all = |rules: &[Rule]| rules.iter().flat_map(|rule| rule.violations(events)).collect();
        Wrong { structure: all(&self.rules), time: all(&self.by_time) }
    }
}

impl Wrong {
    /// All of it.
    pub(crate) fn all(self) -> Vec<String> {
        [self.structure, self.time].concat()
    }
}

impl Rule {
    fn violations(&self, events: &[String]) -> Vec<String> {
        let count = |label: &String| events.iter().filter(|event| *event == label).count();
        match self {
            Self::Order(steps) => order_violations(steps, events),
            Self::Never(labels) => {
                let seen = labels.iter().filter(|label| events.contains(label));
                seen.map(|label| format!("`{label}` happened and must not")).collect()
            }
            Self::Times(label, times) => match count(label) {
                found if found == *times => Vec::new(),
                found => vec![format!("`{label}` happened {found} times, not {times}")],
            },
            Self::AtLeast(label, times) => match count(label) {
                found if found >= *times => Vec::new(),
                found => vec![format!("`{label}` happened {found} times, not {times} or more")],
            },
            Self::AtMost(label, times) => match count(label) {
                found if found <= *times => Vec::new(),
                found => vec![format!("`{label}` happened {found} times, more than {times}")],
            },
        }
    }
}

/// Missing labels, and for each pair of neighbouring steps the first label that came too early.
fn order_violations(steps: &[Vec<String>], events: &[String]) -> Vec<String> {
    let first = |label: &String| events.iter().position(|event| event == label);
    let last = |label: &String| events.iter().rposition(|event| event == label);
    let mut wrong: Vec<String> = Vec::new();
    for label in steps.iter().flatten() {
        if first(label).is_none() {
            wrong.push(format!("`{label}` never happened"));
        }
    }
    for pair in steps.windows(2) {
        let latest = pair[0].iter().filter_map(|label| Some((last(label)?, label))).max();
        let earliest = pair[1].iter().filter_map(|label| Some((first(label)?, label))).min();
        if let (Some((latest, early)), Some((earliest, late))) = (latest, earliest)
            && earliest < latest
        {
            wrong.push(format!("`{late}` came before `{early}`"));
        }
    }
    wrong
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |rules: &[Rule]| rules.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        if let Some(open) = &self.open {
            write!(f, "nothing is forced: {open}")?;
            return if self.rules.is_empty() { Ok(()) } else { write!(f, "; but {}", words(&self.rules)) };
        }
        f.write_str(&words(&self.rules))?;
        match (self.rules.is_empty(), self.by_time.is_empty()) {
            (_, true) => Ok(()),
            (true, false) => write!(f, "by their sleeps: {}", words(&self.by_time)),
            (false, false) => write!(f, "; by their sleeps: {}", words(&self.by_time)),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(steps) => {
                let words: Vec<String> = steps.iter().map(|step| in_any_order(step)).collect();
                f.write_str(&words.join(" → "))
            }
            Self::Never(labels) => write!(f, "never {}", labels.join(", nor ")),
            Self::Times(label, times) => write!(f, "{times} × {label}"),
            Self::AtLeast(label, times) => write!(f, "{times} × {label} or more"),
            Self::AtMost(label, times) => write!(f, "at most {times} × {label}"),
        }
    }
}

fn in_any_order(step: &[String]) -> String {
    match step {
        [label] => label.clone(),
        labels => format!("{{{}}}", labels.join(", ")),
    }
}

/// How many items of an observation are written out.
const SHOWN: usize = 60;

/// Events in words, repetitions folded: `1000 × step 1 → 1000 × step 2`. Where too many alternate, only how often each
/// happened is said.
pub(crate) fn describe(events: &[String]) -> String {
    if events.is_empty() {
        return "nothing".to_owned();
    }
    let runs: Vec<&[String]> = events.chunk_by(|a, b| a == b).collect();
    let times = |n: usize, label: &str| if n == 1 { label.to_owned() } else { format!("{n} × {label}") };
    if runs.len() <= SHOWN {
        return runs.iter().map(|run| times(run.len(), &run[0])).collect::<Vec<_>>().join(" → ");
    }
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for event in events {
        match counts.iter_mut().find(|(label, _)| label == event) {
            Some((_, n)) => *n += 1,
            None => counts.push((event, 1)),
        }
    }
    let shown = counts.iter().take(SHOWN).map(|(label, n)| times(*n, label)).collect::<Vec<_>>().join(", ");
    let more = if counts.len() > SHOWN { ", …" } else { "" };
    format!("in turns: {shown}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn wrong(prediction: Prediction, seen: &str) -> Vec<String> {
        prediction.check(&events(seen)).all()
    }

    #[test]
    fn a_sequence_ignores_what_it_does_not_name() {
        let abc = || Prediction::new().sequence(&["a", "b", "c"]);
        assert!(wrong(abc(), "a x b y c").is_empty());
        assert_eq!(wrong(abc(), "a c b"), ["`c` came before `b`"]);
        assert_eq!(wrong(abc(), "a b"), ["`c` never happened"]);
    }

    #[test]
    fn before_means_all_before_any() {
        let rule = || Prediction::new().before(&["a", "b"], &["c"]);
        assert!(wrong(rule(), "b a c").is_empty());
        assert_eq!(wrong(rule(), "b c a"), ["`c` came before `a`"]);
        assert_eq!(wrong(rule(), "a b c a"), ["`c` came before `a`"], "also a late repetition");
    }

    #[test]
    fn rounds_allow_any_order_within_one() {
        let rule = || Prediction::new().rounds(&["a1", "a2"], &["b1", "b2", "b3"]);
        assert!(wrong(rule(), "a1 b1 b2 a2 b3").is_empty());
        assert!(!wrong(rule(), "a1 a2 b1 b2 b3").is_empty());
    }

    #[test]
    fn alternation_is_strict() {
        let rule = || Prediction::new().alternates(&["a1", "a2"], &["b1", "b2", "b3"]);
        assert!(wrong(rule(), "a1 b1 a2 b2 b3").is_empty());
        assert!(!wrong(rule(), "a1 b1 b2 a2 b3").is_empty());
    }

    #[test]
    fn never_and_times_count() {
        let rule = || Prediction::new().never(&["x", "y"]).times("a", 2);
        assert!(wrong(rule(), "a b a").is_empty());
        assert_eq!(wrong(rule(), "a y"), ["`y` happened and must not", "`a` happened 1 times, not 2"]);
        let rule = || Prediction::new().at_least("a", 2);
        assert!(wrong(rule(), "a b a").is_empty() && wrong(rule(), "a a a").is_empty());
        assert_eq!(wrong(rule(), "a"), ["`a` happened 1 times, not 2 or more"]);
        assert_eq!(rule().to_string(), "2 × a or more");
        let rule = || Prediction::new().at_most("a", 1);
        assert!(wrong(rule(), "b").is_empty() && wrong(rule(), "a").is_empty());
        assert_eq!(wrong(rule(), "a a"), ["`a` happened 2 times, more than 1"]);
        assert_eq!(rule().to_string(), "at most 1 × a");
    }

    #[test]
    fn what_follows_from_sleeps_is_told_apart() {
        let rule = Prediction::new().times("a", 1).by_time(Prediction::new().sequence(&["a", "b"]));
        let wrong = rule.check(&events("b a"));
        assert!(wrong.structure.is_empty());
        assert_eq!(wrong.time, ["`b` came before `a`"]);
        assert_eq!(rule.to_string(), "1 × a; by their sleeps: a → b");
        assert_eq!(Prediction::new().by_time(rule).to_string(), "by their sleeps: 1 × a");
    }

    #[test]
    fn nothing_forced_is_contradicted_by_nothing_and_says_so() {
        assert!(Prediction::open("a tie").is_open() && Prediction::new().is_open());
        assert!(!Prediction::new().never(&["x"]).is_open());
        assert!(!Prediction::new().by_time(Prediction::new().times("a", 1)).is_open());
        assert!(wrong(Prediction::open("a tie"), "z").is_empty());
        assert_eq!(Prediction::open("a tie").to_string(), "nothing is forced: a tie");
        let ends = || Prediction::open("a tie").times("end", 2);
        assert!(ends().is_open() && wrong(ends(), "end z end").is_empty());
        assert_eq!(
            wrong(ends(), "end"),
            ["`end` happened 1 times, not 2"],
            "what was lost is told all the same"
        );
        assert_eq!(ends().to_string(), "nothing is forced: a tie; but 2 × end");
    }

    #[test]
    fn it_says_itself_in_words() {
        let rule = Prediction::new()
            .sequence(&["a", "b"])
            .before(&["a", "b"], &["c"])
            .never(&["x", "y"])
            .times("a", 1);
        assert_eq!(rule.to_string(), "a → b; {a, b} → c; never x, nor y; 1 × a");
        assert_eq!(describe(&events("a a b a")), "2 × a → b → a");
        assert_eq!(describe(&[]), "nothing");
        assert_eq!(describe(&events(&"a b ".repeat(50))), "in turns: 50 × a, 50 × b");
        let many: Vec<String> = (0..100).map(|i| i.to_string()).collect();
        assert!(describe(&many).ends_with(", 59, …"));
    }
}
