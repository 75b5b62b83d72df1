//! The programs, each in a process of its own, on every combination.

#![forbid(unsafe_code)]

use ecosystem_support::{Program, on_each, skip};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

const ROUTER: &str = env!("CARGO_BIN_EXE_router");
const FETCH: &str = env!("CARGO_BIN_EXE_fetch");

/// A server and a client, by two processes of one combination; in neither is there a reactor of tokio's.
fn the_client_program_hears_from_the_server_program(combination: &str) {
    let mut router = Program::start(ROUTER, combination, [] as [&str; 0]);
    let address = router.address().to_string();
    let mut fetch = Program::start(FETCH, combination, [&address, "/hello/you"]);
    assert_eq!(fetch.line(), "HTTP/1.1 200 OK: hello, you");
    assert_eq!(fetch.line(), "HTTP/2.0 200 OK: hello, you");
    assert_eq!(fetch.finish(), "pooled 200 OK: hello, you\n");

    // A client between its answers, so that both are in the middle of something when they are looked at.
    let mut sleeping = Program::start(FETCH, combination, [&address, "/sleep/300"]);
    assert_eq!(sleeping.line(), "HTTP/1.1 200 OK: slept for 300 ms");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    router.facts().assert_native(combination);
    sleeping.facts().assert_native(combination);
    assert_eq!(sleeping.line(), "HTTP/2.0 200 OK: slept for 300 ms");
    sleeping.facts().assert_native(combination);
    assert_eq!(sleeping.finish(), "pooled 200 OK: slept for 300 ms\n");
    drop(stream);
    assert_eq!(router.finish(), "");
}
on_each!(the_client_program_hears_from_the_server_program);

/// The end of its input ends the server, and what is under way is answered before.
fn a_server_that_is_told_to_end_answers_first(combination: &str) {
    let mut router = Program::start(ROUTER, combination, [] as [&str; 0]);
    let address = router.address();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /drip/5 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    // The answer has begun, so the request is under way.
    let mut answer = vec![0; 15];
    stream.read_exact(&mut answer).unwrap();
    let ending = std::thread::spawn(move || router.finish());
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("line 4\n"), "{answer}");
    ending.join().unwrap();
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}
on_each!(a_server_that_is_told_to_end_answers_first);

/// A public client: curl, in both protocols, with a body.
fn curl_is_answered(combination: &str) {
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60"])
            .args(arguments)
            .output();
        output
            .ok()
            .map(|output| (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let Some((true, _)) = curl(&["--version"]) else {
        return skip(&format!("curl_is_answered::{combination}"), "curl is not installed");
    };
    let mut router = Program::start(ROUTER, combination, [] as [&str; 0]);
    let host = router.address();
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let echoed = curl(&[protocol, "--data", "a body", &format!("http://{host}/echo")]);
        assert_eq!(echoed, Some((true, "a body".to_owned())), "{protocol}");
    }
    router.finish();
}
on_each!(curl_is_answered);

/// A public load generator, for two seconds: every request is answered.
fn wrk_finds_no_error(combination: &str) {
    let wrk = |arguments: &[&str]| Command::new("wrk").args(arguments).output().ok();
    if wrk(&["--version"]).is_none() {
        return skip(
            &format!("wrk_finds_no_error::{combination}"),
            "wrk is not installed (Debian's package `wrk`)",
        );
    }
    let mut router = Program::start(ROUTER, combination, [] as [&str; 0]);
    let host = router.address();
    let output = wrk(&["-t1", "-c50", "-d2s", "--timeout", "30s", &format!("http://{host}/")]).unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}");
    let requests =
        report.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse::<u64>().ok());
    assert!(requests.is_some_and(|requests| requests > 50), "{report}");
    for complaint in ["Socket errors", "Non-2xx"] {
        assert!(!report.contains(complaint), "{report}");
    }
    router.facts().assert_native(combination);
    router.finish();
}
on_each!(wrk_finds_no_error);
