//! What is done where there is no pidfd.

use super::Command;
use crate::{Builder, Combination};
use std::process::Stdio;

#[test]
fn a_job_waits_for_the_end_where_there_is_no_pidfd() {
    for combination in Combination::ALL {
        let runtime = Builder::new().combination(combination).build().unwrap();
        runtime.block_on(async {
            let mut command = Command::new("sh");
            command.args(["-c", "read word; exit $word"]).stdin(Stdio::piped());
            command.pidfd = false;
            let mut child = command.spawn().unwrap();
            assert_eq!(child.try_wait().unwrap(), None);
            let mut stdin = child.stdin.take().unwrap();
            // A wait that is given up keeps its job.
            crate::time::timeout(std::time::Duration::from_millis(1), child.wait()).await.unwrap_err();
            tokio::io::AsyncWriteExt::write_all(&mut stdin, b"7\n").await.unwrap();
            assert_eq!(child.wait().await.unwrap().code(), Some(7));
            assert_eq!(child.wait().await.unwrap().code(), Some(7));
            assert_eq!(child.id(), None);

            let mut killed = Command::new("sleep");
            killed.arg("1000").pidfd = false;
            let mut killed = killed.spawn().unwrap();
            killed.kill().await.unwrap();
            assert!(!killed.wait().await.unwrap().success());
        });
    }
}
