//! The standard streams, of a child that is this very test, on every combination.

use polyloop::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, stderr, stdin, stdout};
use polyloop::process::Command;
use polyloop::{Combination, Runtime};
use std::process::Stdio;

const VARIABLE: &str = "POLYLOOP_STDIO";

/// Answers each line of its input, on the combination that the test below names; of itself it does nothing.
#[test]
fn child() {
    let Ok(name) = std::env::var(VARIABLE) else { return };
    let runtime = Runtime::from_name(&name).unwrap();
    runtime.block_on(async {
        let (mut out, mut err) = (stdout(), stderr());
        let mut lines = BufReader::new(stdin()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            out.write_all(format!("<{line}>\n").as_bytes()).await.unwrap();
            out.flush().await.unwrap();
        }
        // Nobody flushes: the end of the runtime waits for it.
        err.write_all(b"<over>\n").await.unwrap();
    });
}

#[test]
fn a_program_talks_through_its_standard_streams() {
    let runtime = Runtime::from_name("fifo+poll+heap").unwrap();
    for combination in Combination::ALL {
        runtime.block_on(async {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["stdio::child", "--exact", "--nocapture"]).env(VARIABLE, combination.to_string());
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
            let mut child = command.spawn().unwrap();
            let mut to = child.stdin.take().unwrap();
            let mut from = BufReader::new(child.stdout.take().unwrap()).lines();
            for n in 0..5 {
                to.write_all(format!("{n}\n").as_bytes()).await.unwrap();
                // The harness writes lines of its own.
                loop {
                    let line = from.next_line().await.unwrap().expect("an answer");
                    if line.contains(&format!("<{n}>")) {
                        break;
                    }
                }
            }
            drop(to);
            let mut last = String::new();
            child.stderr.take().unwrap().read_to_string(&mut last).await.unwrap();
            assert!(last.contains("<over>"), "{last}");
            assert!(child.wait().await.unwrap().success());
        });
    }
}
