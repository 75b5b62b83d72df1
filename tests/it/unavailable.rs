//! What the machine cannot give is said (C15), and what a program asks for wrongly, too: each in a process of its own where
//! files or threads are short.

#![cfg(target_os = "linux")]

use crate::subjects::{builder, names};
use polyloop::Runtime;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io;
use std::process::Command;

const VARIABLE: &str = "POLYLOOP_WITHOUT_FILES";

/// Leaves no more than `left` files to be opened.
fn leave(left: usize) -> Vec<File> {
    let limit = Rlimit { current: Some(64), maximum: getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    files.truncate(files.len() - left);
    files
}

/// Does its work in a process of its own, on the combination that the test below names.
#[test]
fn child() {
    let Ok(name) = std::env::var(VARIABLE) else { return };
    // From none on, until there are enough: whatever fails halfway leaves nothing.
    let mut before = None;
    for left in 0.. {
        let taken = leave(left);
        match builder(&name).build() {
            Ok(runtime) => {
                drop(taken);
                assert_eq!(
                    runtime.block_on(async { polyloop::spawn(async move { left }).await.unwrap() }),
                    left
                );
                break;
            }
            Err(error) => {
                println!("<{error}>");
                assert_eq!(io::Error::from(error).kind(), io::Error::from_raw_os_error(24).kind());
            }
        }
        drop(taken);
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        assert_eq!(open(), *before.get_or_insert_with(open), "files are left behind");
    }
    println!("<built>");
}

#[test]
fn without_room_for_its_files_a_runtime_says_which_reactor_wants_them() {
    for name in names(&[1]) {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["unavailable::child", "--exact", "--nocapture"]).env(VARIABLE, &name);
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {text}{}", String::from_utf8_lossy(&output.stderr));
        let said: Vec<&str> =
            text.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(said, _)| said).collect();
        let reactor = name.split('+').nth(1).unwrap();
        let (last, refusals) = said.split_last().unwrap_or_else(|| panic!("{name}: {text}"));
        assert_eq!(*last, "built");
        assert!(!refusals.is_empty(), "{name} needs no file at all");
        let expected = format!("the reactor `{reactor}` is not to be had here: ");
        assert!(
            refusals.iter().all(|said| said.starts_with(&expected) && said.contains("os error 24")),
            "{refusals:?}"
        );
    }
}

#[test]
fn what_does_not_exist_is_said_with_what_does() {
    let said = |name: &str| Runtime::from_name(name).unwrap_err().to_string();
    assert_eq!(said("fifo+uring"), "unknown reactor `uring`; there are mio, polling, poll");
    assert_eq!(said("lifo"), "unknown executor `lifo`; there are fifo, steal, global, percore, fair, edf");
    assert_eq!(said("fifo+mio+list"), "unknown timer queue `list`; there are wheel, heap");
    let kind = io::Error::from(Runtime::from_name("fifo+uring").unwrap_err()).kind();
    assert_eq!(kind, io::ErrorKind::InvalidInput);
}
