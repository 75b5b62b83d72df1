//! The fds of a reactor, in a process where nobody else opens any: what they are, and that they go.

use crate::subjects::{SUBJECTS, again, chosen, make};
use polyloop_conformance::reactor::{Rig, pair, token};
use polyloop_core::reactor::Interest;
use polyloop_core::time::Wait;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Every open fd with what it is and its flags.
fn fds() -> BTreeMap<String, (String, u64)> {
    let names = fs::read_dir("/proc/self/fd").expect("proc").map(|entry| entry.expect("entry").file_name());
    let names: Vec<_> = names.map(|name| name.into_string().expect("a number")).collect();
    // The directory's own fd is closed by now and has no link.
    let described = names.into_iter().filter_map(|name| {
        let target = fs::read_link(format!("/proc/self/fd/{name}")).ok()?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{name}")).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        let flags = u64::from_str_radix(flags.trim(), 8).expect("octal");
        Some((name, (target.display().to_string(), flags)))
    });
    described.collect()
}

#[test]
fn own_files_are_in_order_and_go_in_the_end() {
    for subject in SUBJECTS {
        let command = Command::new(std::env::current_exe().expect("self"));
        let output = again(command, "fds::script_of_files", subject).output().expect("run");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("fds of its own"), "{text}");
        eprintln!("{text}");
    }
}

#[test]
#[ignore = "only the test above should run it, where nobody else opens files"]
fn script_of_files() {
    const NONBLOCK: u64 = 0o4000;
    const CLOEXEC: u64 = 0o2_000_000;
    let name = chosen();
    {
        let before = fds();
        let mut rig = Rig::new(make(chosen()));
        let own = fds().into_iter().filter(|(fd, _)| !before.contains_key(fd));
        let own: BTreeMap<_, _> = own.collect();
        assert!(!own.is_empty(), "{name} opened nothing");
        for (fd, (target, flags)) in &own {
            assert!(flags & CLOEXEC != 0, "{name}: {fd} {target} would survive exec");
            // An epoll is neither read nor written, and cannot be told.
            assert!(
                flags & NONBLOCK != 0 || target.contains("eventpoll"),
                "{name}: {fd} {target} could block"
            );
        }
        eprintln!("{name}: {} fds of its own: {own:?}", own.len());

        let pairs: Vec<_> = (0..50).map(|_| pair()).collect();
        for (index, (ours, _)) in (0..).zip(&pairs) {
            rig.attach(ours, token(index), Interest::BOTH);
        }
        rig.turn(Wait::Now);
        for index in 0..25 {
            rig.handle.detach(token(index)).expect("detach");
        }
        drop(pairs);
        drop(rig);
        assert_eq!(fds(), before, "{name}: the other half goes with the reactor");
    }
}
