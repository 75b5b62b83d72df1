//! A program's own timeline in a file, so that another program can draw it.

use crate::Timeline;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// A timeline, and what is needed to compare it with others; [`Log::recording`](crate::Log::recording) makes one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// What it ran on.
    pub on: String,
    /// When the run began, in microseconds of UNIX time: what others have seen of it can be put beside it.
    pub began_unix_us: u64,
    /// How many futures have no lane, because there were too many.
    pub unlabelled: usize,
    /// What happened.
    pub timeline: Timeline,
}

impl Recording {
    /// Writes it in place of whatever is there.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self).map_err(io::Error::other)?;
        std::fs::write(path, text + "\n")
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// The kernel's word, or where the file is no recording.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        serde_json::from_str(&text).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("this is no timeline of a program: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lane, Slice};

    #[test]
    fn what_was_written_is_read_and_anything_else_is_refused() {
        let path = std::env::temp_dir().join(format!("polyloop-recording-{}", std::process::id()));
        let polls = vec![Slice::new(0.5, 2.0, 1)];
        let lane = Lane { label: "main".into(), polls, ..Lane::default() };
        let timeline = Timeline { lanes: vec![lane], total_us: 3.0, why: "so".into() };
        let recording = Recording { on: "fifo".into(), began_unix_us: 7, unlabelled: 0, timeline };
        recording.write(&path).unwrap();
        assert_eq!(Recording::read(&path).unwrap(), recording);
        for wrong in ["", "{}", "[1]", "nonsense"] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(Recording::read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData, "{wrong}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Recording::read(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
