//! The examples, as a reader runs them: by name, on every combination, in a process of their own.

use crate::subjects::names;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Every example of the facade, and what it is called with to show itself and end.
const ALL: [(&str, &str, &[&str]); 5] = [
    ("chat", env!("CARGO_BIN_EXE_example-chat"), &["--demo"]),
    ("delay_message", env!("CARGO_BIN_EXE_example-delay_message"), &["0.2"]),
    ("echo", env!("CARGO_BIN_EXE_example-echo"), &["--demo"]),
    ("race_timeout", env!("CARGO_BIN_EXE_example-race_timeout"), &["20"]),
    ("starvation", env!("CARGO_BIN_EXE_example-starvation"), &[]),
];

fn example(name: &str, combination: &str) -> Command {
    let (_, path, _) = ALL.iter().find(|(known, ..)| *known == name).unwrap();
    let mut command = Command::new(path);
    command.env("POLYLOOP", combination);
    command
}

/// What the example prints, line by line, on each combination.
fn shown(name: &str, mut judge: impl FnMut(&str, &[&str])) {
    let (.., arguments) = ALL.iter().find(|(known, ..)| *known == name).unwrap();
    for combination in names(&[2]) {
        let output = example(name, &combination).args(*arguments).output().unwrap();
        let (out, err) = text(&output);
        assert!(output.status.success(), "{combination}: {out}{err}");
        judge(&combination, &out.lines().collect::<Vec<_>>());
    }
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn no_example_is_left_out_or_long() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/polyloop/examples");
    let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let names: Vec<_> = found.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ALL.map(|(name, ..)| name));
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines < 80, "{}: {lines} lines", path.display());
    }
}

#[test]
fn chat_tells_everybody() {
    shown("chat", |combination, lines| {
        assert_eq!(lines, ["* ann came", "* bob came", "bob: hello", "* bob went"], "{combination}");
    });
}

#[test]
fn a_thousand_delays_end_in_one() {
    shown("delay_message", |combination, lines| {
        assert_eq!(lines.len(), 2001, "{combination}");
        for number in 0..1000 {
            let at = |step: &str| lines.iter().position(|line| *line == format!("{number}: {step}"));
            assert!(at("step 1").unwrap() < at("step 2").unwrap(), "{combination}, {number}");
        }
        let last_first = lines.iter().rposition(|line| line.ends_with("step 1")).unwrap();
        assert_eq!(lines[last_first + 1..].len(), 1001, "{combination}: one waited before another began");
        let took = lines[2000].strip_prefix("1000 messages, each delayed by 200ms, took ").unwrap();
        assert!(took.ends_with('s'), "{took}");
    });
}

#[test]
fn an_echo_comes_back_to_every_client() {
    shown("echo", |combination, lines| {
        assert_eq!(lines.last(), Some(&"100 clients got 400 KiB back, unchanged"), "{combination}");
    });
}

#[test]
fn the_loser_of_a_race_and_the_late_are_given_up() {
    shown("race_timeout", |combination, lines| {
        let ends = |line: &str| line.rsplit_once(" after ").unwrap().0.to_owned();
        assert_eq!(lines.len(), 4, "{combination}: {lines:?}");
        let lives: Vec<_> = lines[..3].iter().map(|line| ends(line)).collect();
        assert_eq!(lives, ["fast: an answer", "slow: given up", "alone: given up"], "{combination}");
        assert_eq!(lines[3], "nobody answered within 20ms", "{combination}");
    });
}

#[test]
fn starvation_is_the_same_in_one_task_and_the_executors_in_two() {
    shown("starvation", |combination, lines| {
        let said = |form: &str| {
            let line = lines.iter().find_map(|line| line.strip_prefix(form)).unwrap();
            line.split_once(" ms  ").unwrap().1
        };
        assert_eq!(said("one task,  no yields"), "a30 a10 a20 a-end", "{combination}");
        assert_eq!(said("one task,  yields"), "a30 b75 a10 b10 a20 b15 a-end", "{combination}");
        let (without, with) = (said("two tasks, no yields"), said("two tasks, yields"));
        if combination.starts_with("fifo") {
            assert_eq!(without, "a30 a10 a20 a-end b75 b10 b15 b35 b-end", "{combination}");
            assert_eq!(with, "a30 b75 a10 b10 a20 b15 a-end b35 b-end", "{combination}");
        }
        for order in [without, with] {
            let of = |name| order.split(' ').filter(|step| step.starts_with(name)).collect::<Vec<_>>();
            assert_eq!(of('a'), ["a30", "a10", "a20", "a-end"], "{combination}");
            assert_eq!(of('b'), ["b75", "b10", "b15", "b35", "b-end"], "{combination}");
        }
    });
}

#[test]
fn a_server_serves_a_client_of_another_process() {
    let mut server = example("echo", "fifo+poll+heap").arg("0").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.write_all(b"hello from outside").unwrap();
    let mut answer = [0; 18];
    let answered = client.read_exact(&mut answer);
    server.kill().unwrap();
    server.wait().unwrap();
    answered.unwrap();
    assert_eq!(&answer, b"hello from outside");
}

#[test]
fn what_cannot_be_is_one_line_and_code_2() {
    for (name, _, arguments) in ALL {
        let output = example(name, "fifo+kqueue").args(arguments).output().unwrap();
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert_eq!((out.as_str(), err.lines().count()), ("", 1), "{name}: {err}");
        assert!(err.starts_with(&format!("{name}: POLYLOOP: unknown reactor `kqueue`; ")), "{err}");
    }
    for name in ["chat", "delay_message", "echo", "race_timeout"] {
        let output = example(name, "fifo").arg("-nonsense").output().unwrap();
        let (_, err) = text(&output);
        assert_eq!((output.status.code(), err.lines().count()), (Some(2), 1), "{name}: {err}");
        assert!(err.contains("-nonsense` is n"), "{err}");
    }
}

#[test]
fn a_port_in_use_is_one_line_and_code_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for name in ["chat", "echo"] {
        let output = example(name, "fifo").arg(&port).output().unwrap();
        let (_, err) = text(&output);
        assert_eq!((output.status.code(), err.lines().count()), (Some(1), 1), "{name}: {err}");
        assert!(err.to_lowercase().contains("in use"), "{err}");
    }
}
