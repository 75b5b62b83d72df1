//! The timeline of a run: where the program writes it, what the program printed when, and the drawing of several on one scale.

use polyloop_timeline::draw::{self, BOLD, Look};
use polyloop_timeline::text::{clean, count};
use polyloop_timeline::{Mark, Recording, terminal};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A folder of this process alone, in which programs write what they did. It is removed with this value.
#[derive(Debug)]
pub(crate) struct Watching {
    folder: PathBuf,
    file: PathBuf,
}

impl Watching {
    pub(crate) fn begin() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("polyloop-book-{}-{}", std::process::id(), unix_us()));
        // Not one that somebody else has made.
        fs::create_dir(&folder)?;
        Ok(Self { file: folder.join("timeline.json"), folder })
    }

    /// Where the program writes.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What the program wrote, with what it printed as marks. The next program finds the place free.
    pub(crate) fn seen(&self, printed: &[Printed]) -> io::Result<Recording> {
        let mut recording = Recording::read(&self.file)?;
        fs::remove_file(&self.file)?;
        let began = recording.began_unix_us;
        // Nobody knows which future printed a line, so they are the whole program's.
        if let Some(main) = recording.timeline.lanes.first_mut() {
            main.marks.extend(printed.iter().map(|printed| printed.mark(began)));
        }
        Ok(recording)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // What is left in a folder for what is temporary, harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A line, and when it came.
#[derive(Debug)]
pub(crate) struct Printed {
    unix_us: u64,
    line: String,
}

impl Printed {
    pub(crate) fn now(line: &str) -> Self {
        Self { unix_us: unix_us(), line: line.trim().to_owned() }
    }

    fn mark(&self, began: u64) -> Mark {
        Mark { at_us: self.unix_us.saturating_sub(began) as f64, text: self.line.clone() }
    }
}

fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Draws what was seen of each program, named, on one scale.
pub(crate) fn show(seen: &[(String, Recording)]) -> io::Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let look = Look { width: terminal::width().unwrap_or(120), ascii: !terminal::shows_unicode() };
    anstream::stdout().write_all(drawn(seen, look).as_bytes())
}

fn drawn(seen: &[(String, Recording)], look: Look) -> String {
    let timelines = || seen.iter().map(|(_, recording)| &recording.timeline);
    let total_us = timelines().map(|timeline| timeline.total_us).fold(1.0, f64::max);
    let mut out = draw::legend(timelines(), look) + "\n";
    let polls = timelines().flat_map(|timeline| &timeline.lanes).flat_map(|lane| &lane.polls);
    if polls.into_iter().any(|poll| poll.worker > 0) {
        out += "worker 0 is the thread of `main`; the others are numbered by their first polls\n";
    }
    out.push('\n');
    for (name, recording) in seen {
        let title = format!("{BOLD}{}{BOLD:#}  {}", clean(name), clean(&recording.on));
        let indent = draw::one(&title, &recording.timeline, total_us, look, &mut out);
        if recording.unlabelled > 0 {
            let more = count(recording.unlabelled, "more future");
            let _ = writeln!(out, "{:indent$}{more} without a lane", "");
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyloop_timeline::{Lane, Slice, Timeline};

    fn recording(total_us: f64, unlabelled: usize) -> Recording {
        let polls = vec![Slice::new(0.0, 1_000.0, 0)];
        let lane = Lane { label: "main".into(), polls, ..Lane::default() };
        let timeline = Timeline { lanes: vec![lane], total_us, why: "so".into() };
        Recording { on: "fifo".into(), began_unix_us: 1_000_000, unlabelled, timeline }
    }

    #[test]
    fn several_are_drawn_on_one_scale_and_what_has_no_lane_is_told() {
        let seen = [("one".to_owned(), recording(1_000.0, 0)), ("two".to_owned(), recording(2_000.0, 3))];
        let text = drawn(&seen, Look { width: 80, ascii: true });
        let lanes: Vec<&str> = text.lines().filter(|line| line.contains('|')).collect();
        let halves = lanes[0].split('|').nth(1).unwrap();
        assert_eq!(halves.chars().filter(|sign| *sign == ' ').count(), halves.len() / 2, "{text}");
        assert!(text.contains("3 more futures without a lane") && text.contains("why: so"), "{text}");
    }

    #[test]
    fn a_line_is_a_mark_at_the_time_when_it_came() {
        let printed = Printed { unix_us: 1_000_250, line: "hi".into() };
        assert_eq!(printed.mark(1_000_000), Mark { at_us: 250.0, text: "hi".into() });
        assert_eq!(printed.mark(2_000_000).at_us, 0.0, "a clock that was set back");
    }
}
