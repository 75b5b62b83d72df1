//! The plain sentence: what a person should take away, said first.
//!
//! Invariant: it never says more than the intervals carry. A difference inside its interval or inside the noise floor is
//! a tie; what is lost is said as loudly as what is won; and it speaks of this machine and this run only.

use crate::cell::{Kind, Subject, SubjectKind};
use crate::results::{Case, Results, peer_beside};
use crate::stats::ENOUGH_ROUNDS;
use crate::view::{Rank, View, percent, times, within_noise};
use polyloop_timeline::text::count;

/// A noise floor that is worth a warning.
const LOUD: f64 = 0.10;

/// How a subject did against another, over all benches that both have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Duel {
    /// Benches won, with how many times better, best first.
    pub(crate) won: Vec<(String, f64)>,
    /// Benches within the noise.
    pub(crate) tied: Vec<String>,
    /// Benches lost, with how many times worse, worst first.
    pub(crate) lost: Vec<(String, f64)>,
}

/// The sentence, or two.
pub(crate) fn verdict(results: &Results) -> String {
    let view = View::new(results);
    let mut parts = Vec::new();
    if !results.run.complete {
        parts.push("The run was stopped before its end; this is what there is.".to_owned());
    }
    parts.extend(experiments(view));
    parts.extend(benches(view));
    if parts.is_empty() {
        parts.push("Nothing was measured.".to_owned());
    }
    parts.join(" ")
}

fn experiments(view: View<'_>) -> Option<String> {
    let mut tally = view.tally(Kind::Experiment);
    let benches = view.tally(Kind::Bench);
    if tally.judged() + benches.ours_failed + benches.others_failed == 0 {
        return None;
    }
    tally.ours_failed += benches.ours_failed;
    tally.others_failed += benches.others_failed;
    let peers = |verb: &str| match tally.others_failed {
        0 => String::new(),
        n => format!("; {} of peers {verb}", count(n, "cell")),
    };
    let mut told = match (tally.ours_failed, tally.others_failed) {
        (0, 0) => format!("All {} came out as predicted.", count(tally.judged(), "experiment cell")),
        (0, _) => format!("Every cell of ours came out as predicted{}.", peers("did not")),
        (failed, _) => format!("{} of ours went wrong{}.", count(failed, "cell"), peers("did, too")),
    };
    match tally.open {
        0 => {}
        1 => told += " 1 cell more ran where nothing is forced, and is no verdict.",
        n => told += &format!(" {n} cells more ran where nothing is forced, and are no verdicts."),
    }
    match view.second_answers().count() {
        0 => {}
        n => told += &format!(" {} did so only when asked again alone.", count(n, "cell")),
    }
    Some(told)
}

fn benches(view: View<'_>) -> Option<String> {
    let cases = view.cases(Kind::Bench);
    let with_numbers = |case: &&&Case| view.subjects().any(|s| number(view, s, case).is_some());
    let measured: Vec<&Case> = cases.iter().filter(with_numbers).copied().collect();
    if measured.is_empty() {
        return None;
    }
    if view.results.run.rounds < ENOUGH_ROUNDS {
        return Some(format!(
            "{} too few to compare speeds: {ENOUGH_ROUNDS} are needed.",
            match view.results.run.rounds {
                1 => "1 round is".to_owned(),
                rounds => format!("{rounds} rounds are"),
            }
        ));
    }
    let all = measured.len();
    let measured: Vec<&Case> = measured.into_iter().filter(|case| case.noise_floor.is_some()).collect();
    if measured.is_empty() {
        return Some(
            "The noise floor is unknown, because the copy has too few numbers: no speeds are told apart."
                .into(),
        );
    }
    let baseline = view.results.run.baseline.as_deref().and_then(|name| view.results.subject(name))?;
    let best = |case: &&&Case| {
        let cell = view.standing(&baseline.name, &case.path);
        cell.is_some_and(|cell| matches!(view.rank(cell, case), Rank::Best | Rank::Tie))
    };
    let leads = measured.iter().filter(best).count();
    let mut text = format!(
        "On this machine, in this run, {} is the fastest or within the noise of it in {leads} of {} bench{}",
        baseline.name,
        measured.len(),
        if measured.len() == 1 { "" } else { "es" },
    );
    for name in ["tokio-mt", "smol-n"] {
        if let Some(peer) = peer_beside(view.subjects(), name, baseline.workers)
            && let Some(told) = told(&duel(view, baseline, peer), &peer.name)
        {
            text += &format!("; {told}");
        }
    }
    text.push('.');
    if measured.len() < all {
        text += &format!(
            " {} not judged: the copy has too few numbers there, so the noise is unknown.",
            all - measured.len()
        );
    }
    if let Some(floor) = view.results.run.noise_floor.filter(|floor| *floor > LOUD) {
        text += &format!(
            " The noise is loud, {} in the middle of the benches: a quieter machine tells more apart.",
            percent(floor)
        );
    }
    Some(text)
}

fn told(duel: &Duel, name: &str) -> Option<String> {
    if duel.won.is_empty() && duel.tied.is_empty() && duel.lost.is_empty() {
        return None;
    }
    let most = |list: &[(String, f64)]| {
        list.first().map(|(case, ratio)| format!(" (up to {} on {case})", times(*ratio))).unwrap_or_default()
    };
    let clauses = [
        (duel.won.len(), "faster in", most(&duel.won)),
        (duel.tied.len(), "not told apart in", String::new()),
        (duel.lost.len(), "slower in", most(&duel.lost)),
    ];
    let told: Vec<String> = clauses
        .iter()
        .filter(|(benches, _, _)| *benches > 0)
        .map(|(benches, verb, most)| format!("{verb} {benches}{most}"))
        .collect();
    Some(format!("against {name} it is {}", told.join(", ")))
}

/// Compares two subjects bench by bench, paired by round.
pub(crate) fn duel(view: View<'_>, ours: &Subject, theirs: &Subject) -> Duel {
    let mut duel = Duel::default();
    for case in view.cases(Kind::Bench) {
        let (Some(a), Some(b)) = (number(view, ours, case), number(view, theirs, case)) else { continue };
        let Some(ratio) = crate::collect::times_worse(a, b) else { continue };
        let Some((low, high)) = ratio.interval else { continue };
        let Some(floor) = case.noise_floor else { continue };
        if within_noise(low, high, ratio.median, floor) {
            duel.tied.push(case.path.clone());
        } else if ratio.median > 1.0 {
            duel.lost.push((case.path.clone(), ratio.median));
        } else {
            duel.won.push((case.path.clone(), 1.0 / ratio.median));
        }
    }
    for list in [&mut duel.won, &mut duel.lost] {
        list.sort_by(|a, b| b.1.total_cmp(&a.1));
    }
    duel
}

/// Where our baseline is behind a peer: the peer, the bench and how many times, worst first.
pub(crate) fn where_we_lose(view: View<'_>) -> Vec<(String, String, f64)> {
    let Some(baseline) = view.results.run.baseline.as_deref().and_then(|name| view.results.subject(name))
    else {
        return Vec::new();
    };
    // Of a peer that ran with several numbers of workers, the one with as many as ours.
    let beside = |peer: &Subject| {
        let chosen = peer_beside(view.subjects(), peer.base_name(), baseline.workers);
        chosen.is_none_or(|chosen| chosen.name == peer.name)
    };
    let peers = view.subjects().filter(|subject| subject.kind == SubjectKind::Peer && beside(subject));
    let mut lost: Vec<(String, String, f64)> = peers
        .flat_map(|peer| {
            duel(view, baseline, peer).lost.into_iter().map(|(case, by)| (peer.name.clone(), case, by))
        })
        .collect();
    lost.sort_by(|a, b| b.2.total_cmp(&a.2));
    lost
}

fn number<'a>(view: View<'a>, subject: &Subject, case: &Case) -> Option<&'a crate::results::Metric> {
    view.standing(&subject.name, &case.path)?.own_metric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duel_tells_what_was_lost_as_well_as_what_was_won() {
        let duel = Duel {
            won: vec![("yield".into(), 2.0)],
            tied: Vec::new(),
            lost: vec![("echo".into(), 1.5), ("spawn".into(), 1.1)],
        };
        let told = told(&duel, "tokio-mt").unwrap();
        assert_eq!(
            told,
            "against tokio-mt it is faster in 1 (up to 2.00× on yield), slower in 2 (up to 1.50× on echo)"
        );
        assert_eq!(super::told(&Duel::default(), "tokio-mt"), None);
    }
}
