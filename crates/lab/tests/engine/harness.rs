//! Starts the lab under test, and runs tests as libtest would.

use polyloop_lab::results::Results;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Set for the process that is the lab, and for its cells.
pub(crate) const AS_LAB: &str = "POLYLOOP_TEST_AS_LAB";

/// Runs the tests whose names hold one of the arguments; all of them without arguments.
pub(crate) fn run_all(tests: &[(&str, fn())]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        // None of them is ignored.
        if !arguments.iter().any(|argument| argument == "--ignored") {
            tests.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let mut failed = Vec::new();
    let mut run = 0;
    for (name, test) in tests.iter().filter(|(name, _)| chosen(name)) {
        run += 1;
        // A test that skips itself does so by the name of its thread.
        let thread = thread::Builder::new().name((*name).to_owned()).spawn(*test);
        let ok = thread.expect("a thread").join().is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        if !ok {
            failed.push(name);
        }
    }
    println!(
        "\ntest result: {}. {} passed; {} failed",
        if failed.is_empty() { "ok" } else { "FAILED" },
        run - failed.len(),
        failed.len()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// What a run of the lab left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

/// The lab with these arguments, not started yet.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("own path"));
    command.args(arguments).env(AS_LAB, "1").stdin(Stdio::null());
    for name in
        ["COLUMNS", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR", "POLYLOOP_LAB_DIR", "POLYLOOP_LAB_CALLED_AS"]
    {
        command.env_remove(name);
    }
    command
}

/// Runs the lab to its end.
pub(crate) fn lab(arguments: &[&str]) -> Ran {
    command(arguments).output().expect("the lab starts").into()
}

/// Runs the lab and reads the JSON that it printed.
pub(crate) fn lab_json(arguments: &[&str]) -> (Results, Ran) {
    let ran = lab(arguments);
    let results = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("no results: {error}\n{}\n{}", ran.stdout, ran.stderr));
    (results, ran)
}

/// A folder that goes away at the end.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("polyloop-lab-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A path inside, as an argument.
    pub(crate) fn join(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.0.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed may have left anything; the system clears its folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
