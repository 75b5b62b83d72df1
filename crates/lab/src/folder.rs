//! The folder of a run: found and tried before anything runs, never written over.

use crate::results::{Results, write_whole};
use crate::{markdown, report};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a run leaves its files.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The link that follows the last run, for runs in the default place.
    latest: Option<PathBuf>,
}

impl Folder {
    /// The folder somebody named, or a new one in the default place.
    ///
    /// # Errors
    ///
    /// One sentence: it cannot be written, or holds a run.
    pub(crate) fn open(named: Option<&Path>, id: &str) -> Result<Self, String> {
        let folder = match named {
            Some(path) => Self { path: path.to_path_buf(), latest: None },
            None => {
                let base = default_place();
                let path = (1..)
                    .map(|n| base.join(if n == 1 { id.to_owned() } else { format!("{id}-{n}") }))
                    .find(|path| !path.exists())
                    .unwrap_or_else(|| base.join(id));
                Self { path, latest: Some(base.join("latest")) }
            }
        };
        let shown = folder.path.display();
        make(&folder.path)?;
        refuse(&folder.path, &["results.json", "results.md", "report.html"])?;
        let trial = folder.path.join(".trial");
        let tried = fs::write(&trial, "").and_then(|()| fs::remove_file(&trial));
        tried.map_err(|error| format!("{shown}: cannot be written to: {error}"))?;
        Ok(folder)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what there is so far.
    pub(crate) fn save_results(&self, results: &Results) -> io::Result<()> {
        write_whole(&self.path.join("results.json"), &results.to_json()?)
    }

    /// Writes everything, and moves the link.
    pub(crate) fn save_all(&self, results: &Results) -> io::Result<()> {
        self.save_results(results)?;
        save_readable(&self.path, results)?;
        self.move_latest()
    }

    /// The link is replaced only if it is a link.
    fn move_latest(&self) -> io::Result<()> {
        let Some(latest) = &self.latest else { return Ok(()) };
        match fs::symlink_metadata(latest) {
            Ok(found) if found.file_type().is_symlink() => fs::remove_file(latest)?,
            Ok(_) => {
                let message = format!("{}: is no link and stays as it is", latest.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
            Err(_) => {}
        }
        #[cfg(unix)]
        if let Some(name) = self.path.file_name() {
            std::os::unix::fs::symlink(name, latest)?;
        }
        Ok(())
    }
}

/// Writes the page and the Markdown.
pub(crate) fn save_readable(folder: &Path, results: &Results) -> io::Result<()> {
    write_whole(&folder.join("report.html"), &report::render(results))?;
    write_whole(&folder.join("results.md"), &markdown::render(results))
}

/// Makes a folder, unless it is there.
pub(crate) fn make(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    if folder.is_file() {
        return Err(format!("{shown}: is a file, where a folder is wanted"));
    }
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|error| format!("{shown}: cannot be made: {error}"))
}

/// Refuses a folder that holds one of these files.
pub(crate) fn refuse(folder: &Path, names: &[&str]) -> Result<(), String> {
    match names.iter().find(|name| folder.join(name).exists()) {
        None => Ok(()),
        Some(name) => Err(format!(
            "{}: already holds {name}; nothing is overwritten: name another folder with --out, or move it away",
            folder.display()
        )),
    }
}

fn default_place() -> PathBuf {
    std::env::var_os("POLYLOOP_LAB_DIR")
        .filter(|place| !place.is_empty())
        .map_or_else(|| Path::new("target").join("lab"), PathBuf::from)
}
