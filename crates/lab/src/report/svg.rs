//! A lane as a picture: what was polled when, by which worker.

use super::html::escape;
use crate::cell::{Lane, Slice};
use polyloop_timeline::draw;
use std::fmt::Write as _;

/// The width of the picture in its own units; the page stretches it.
const WIDTH: f64 = 1000.0;
/// A poll shorter than this is drawn this wide on a lane of the page's width, so that it can be seen.
pub(super) const SEEN: f64 = 1.2;
/// More polls than this share one shape for each worker.
const TITLED: usize = 60;
/// Colours for workers.
const COLOURS: usize = 6;

/// A lane on a scale of `total_us`, on which nothing is narrower than `seen`. It carries its own name for those who cannot see it.
pub(super) fn lane(lane: &Lane, own_us: f64, total_us: f64, seen: f64, name: &str) -> String {
    let x = |us: f64| us / total_us * WIDTH;
    let mut out = format!(
        "<svg viewBox='0 0 1000 10' preserveAspectRatio=none role=img aria-label='{}'>\
         <rect class=bed width='{}' height=10 />",
        escape(&format!("{name}, {}: {}", lane.label, draw::told(lane, own_us))),
        number(x(lane.ended_us.unwrap_or(own_us))),
    );
    for (from, to) in lane.waits(own_us).into_iter().take(TITLED) {
        let _ = write!(
            out,
            "<rect class=ready x='{}' y=3 width='{}' height=4 />",
            number(x(from)),
            number((x(to) - x(from)).max(seen))
        );
    }
    if lane.polls.len() <= TITLED {
        let mut before = 0_usize;
        for slice in &lane.polls {
            let first = before.saturating_add(1);
            let which = match slice.polls() {
                1 => format!("poll {first}"),
                polls => format!("polls {first} to {}", before.saturating_add(polls)),
            };
            before = before.saturating_add(slice.polls());
            let _ = write!(
                out,
                "<rect class=w{} x='{}' width='{}' height=10><title>{which}, worker {}: {} from {}</title></rect>",
                slice.worker % COLOURS,
                number(x(slice.from_us)),
                number((x(slice.to_us) - x(slice.from_us)).max(seen)),
                slice.worker,
                polyloop_timeline::units::value(slice.to_us - slice.from_us, "µs"),
                polyloop_timeline::units::value(slice.from_us, "µs"),
            );
        }
    } else {
        shapes(&lane.polls, x, seen, &mut out);
    }
    out.push_str("</svg>");
    out
}

/// All polls of a worker as one path.
fn shapes(polls: &[Slice], x: impl Fn(f64) -> f64, seen: f64, out: &mut String) {
    for colour in 0..COLOURS {
        let mut path = String::new();
        for slice in polls.iter().filter(|slice| slice.worker % COLOURS == colour) {
            let width = number((x(slice.to_us) - x(slice.from_us)).max(seen / 2.0));
            let _ = write!(path, "M{} 0h{width}v10h-{width}z", number(x(slice.from_us)));
        }
        if !path.is_empty() {
            let _ = write!(out, "<path class=w{colour} d='{path}'/>");
        }
    }
}

/// One digit after the point is finer than a screen.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
