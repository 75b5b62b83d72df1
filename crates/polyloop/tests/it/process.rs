//! Child processes.
//!
//! Invariant: the children are told what to do through pipes, so that nothing here depends on how fast they are. Zombies are looked
//! for by their numbers.

use polyloop::io::{self, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use polyloop::process::{Child, Command};
use polyloop::task::{spawn_blocking, yield_now};
use polyloop::time::timeout;
use polyloop::{Runtime, spawn};
use std::process::Stdio;
use std::time::Duration;

/// Long enough for a machine that is busy with something else; used up by a failure alone.
const LIMIT: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A child that goes on until its input ends.
fn waits() -> io::Result<Child> {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
}

/// Whether there is such a process, be it a zombie.
fn exists(id: u32) -> bool {
    std::path::Path::new(&format!("/proc/{id}")).exists()
}

async fn gone(id: u32) {
    let reaped = async {
        while exists(id) {
            yield_now().await;
        }
    };
    timeout(LIMIT, reaped).await.expect("a zombie stays");
}

#[polyloop::test(all)]
async fn a_child_reads_writes_and_says_how_it_ended() -> io::Result<()> {
    let mut command = shell("while read line; do echo \"<$line>\"; done; echo bad >&2; exit 3");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (mut to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(from).lines();
    for n in 0..50 {
        to.write_all(format!("{n}\n").as_bytes()).await?;
        assert_eq!(lines.next_line().await?.unwrap(), format!("<{n}>"));
    }
    assert_eq!(child.try_wait()?, None);
    let id = child.id().unwrap();
    drop(to);
    assert_eq!(lines.next_line().await?, None);
    assert_eq!(child.wait().await?.code(), Some(3));
    assert_eq!(child.wait().await?.code(), Some(3), "as often as one asks");
    assert_eq!((child.id(), child.try_wait()?.unwrap().code()), (None, Some(3)));
    assert_eq!(child.start_kill().unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).await?;
    assert_eq!(complaint, "bad\n");
    assert!(!exists(id));
    Ok(())
}

#[polyloop::test(all)]
async fn output_and_status_are_waited_for_with_all_that_is_written() -> io::Result<()> {
    // More than both pipes hold, in turns, so that reading one after the other would stand still.
    let script = "i=0; while [ $i -lt 2000 ]; do echo 0123456789012345678901234567890123456789012345678; \
                  echo 0123456789012345678901234567890123456789012345678 >&2; i=$((i+1)); done; exit 1";
    let output = shell(script).output().await?;
    assert_eq!((output.stdout.len(), output.stderr.len()), (100_000, 100_000));
    assert_eq!(output.status.code(), Some(1));
    let mut command = shell("test \"$WORD\" = said && test \"$(pwd)\" = / && test -z \"$HOME\"");
    assert!(command.env_clear().env("WORD", "said").current_dir("/").status().await?.success());
    // `wait` closes the input, or this would wait for ever.
    assert!(waits()?.wait().await?.success());
    Ok(())
}

#[polyloop::test(all)]
async fn two_commands_make_a_pipeline() -> io::Result<()> {
    let mut first = shell("echo one; echo two").stdout(Stdio::piped()).spawn()?;
    let pipe: Stdio = first.stdout.take().unwrap().try_into()?;
    let second = Command::new("wc").arg("-l").stdin(pipe).output().await?;
    assert_eq!(String::from_utf8_lossy(&second.stdout).trim(), "2");
    assert!(first.wait().await?.success());
    Ok(())
}

#[polyloop::test(all)]
async fn many_children_are_waited_for_at_a_time() -> io::Result<()> {
    let children: Vec<_> = (0..20).map(|n| shell(&format!("exit {n}")).spawn()).collect::<Result<_, _>>()?;
    let tasks: Vec<_> =
        children.into_iter().map(|mut child| spawn(async move { child.wait().await })).collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap()?.code(), Some(i32::try_from(n).unwrap()));
    }
    Ok(())
}

#[polyloop::test(all)]
async fn a_child_is_killed_by_call_and_by_drop_and_reaped() -> io::Result<()> {
    let mut child = waits()?;
    child.kill().await?;
    assert_eq!(child.wait().await?.code(), None, "it ended by a signal");
    // A wait that is given up gives the child up, which is killed then.
    let mut command = Command::new("sleep");
    let mut child = command.arg("1000").kill_on_drop(true).spawn()?;
    assert!(command.get_kill_on_drop());
    let id = child.id().unwrap();
    {
        let waiting = async move { child.wait().await };
        timeout(Duration::from_millis(1), waiting).await.unwrap_err();
    }
    gone(id).await;
    // One that goes on by itself is reaped all the same, when it ends.
    let mut left = waits()?;
    let (id, input) = (left.id().unwrap(), left.stdin.take());
    drop(left);
    assert!(exists(id));
    drop(input);
    gone(id).await;
    Ok(())
}

#[polyloop::test(all)]
async fn what_cannot_be_run_is_an_error() {
    let missing = Command::new("/no/such/program").spawn().unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    let status = Command::new("/no/such/program").status().await.unwrap_err();
    assert_eq!(status.kind(), io::ErrorKind::NotFound);
    spawn_blocking(|| assert!(waits().is_ok(), "also from a job")).await.unwrap();
}

#[test]
fn a_child_outlives_its_runtime_and_says_so() {
    crate::everywhere_by_name(|name| {
        let runtime = Runtime::from_name(name).unwrap();
        let (mut child, orphan) = runtime.block_on(async { (waits().unwrap(), waits().unwrap()) });
        let left = orphan.id().unwrap();
        // `wait` closes the input, and the child is to go on.
        let _input = child.stdin.take();
        let gone_handle = runtime.handle().clone();
        let waiting = {
            let other = Runtime::from_name("fifo+poll+heap").unwrap();
            let mut child = runtime.block_on(async { waits().unwrap() });
            // So that the end of the input does not end it.
            let input = child.stdin.take();
            let (begun, began) = std::sync::mpsc::channel();
            let waiting = std::thread::spawn(move || {
                other.block_on(async {
                    let mut wait = std::pin::pin!(child.wait());
                    std::future::poll_fn(|cx| {
                        assert!(wait.as_mut().poll(cx).is_pending());
                        std::task::Poll::Ready(())
                    })
                    .await;
                    begun.send(()).unwrap();
                    wait.await.unwrap_err().to_string()
                })
            });
            began.recv().unwrap();
            drop(runtime);
            let said = waiting.join().unwrap();
            drop(input);
            said
        };
        assert!(waiting.contains("shut down"), "{waiting}");
        // Dropped after the end of its runtime, it is for the next one to reap.
        drop(orphan);
        let other = Runtime::from_name("fifo+poll+heap").unwrap();
        let error = other.block_on(child.wait()).unwrap_err();
        assert!(error.to_string().contains("shut down"), "{error}");
        child.start_kill().unwrap();
        while child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        {
            let _within = gone_handle.enter();
            assert!(waits().unwrap_err().to_string().contains("shut down"));
        }
        assert!(waits().unwrap_err().to_string().contains("no polyloop runtime"));
        other.block_on(async {
            let reaped = async {
                while exists(left) {
                    assert!(shell("true").status().await.unwrap().success());
                }
            };
            timeout(LIMIT, reaped).await.expect("a zombie stays");
        });
    });
}

#[test]
fn a_child_of_a_runtime_that_nobody_drives_is_reaped_by_the_next_one() {
    let undriven = Runtime::from_name("fifo+poll+heap").unwrap();
    let mut child = undriven.block_on(async { waits().unwrap() });
    let (left, input) = (child.id().unwrap(), child.stdin.take());
    drop(child);
    drop(input);
    let other = Runtime::from_name("fifo+poll+heap").unwrap();
    other.block_on(async {
        let reaped = async {
            while exists(left) {
                assert!(shell("true").status().await.unwrap().success());
            }
        };
        timeout(LIMIT, reaped).await.expect("a zombie stays");
    });
    // Its own task finds nothing to do.
    undriven.block_on(polyloop::task::yield_now());
}

#[polyloop::test(all)]
async fn the_input_of_a_child_takes_several_pieces_at_a_time() -> io::Result<()> {
    let mut child = shell("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    let pieces = [std::io::IoSlice::new(b"one "), std::io::IoSlice::new(b"two")];
    let write = |cx: &mut std::task::Context<'_>| {
        futures::io::AsyncWrite::poll_write_vectored(std::pin::Pin::new(&mut stdin), cx, &pieces)
    };
    assert_eq!(std::future::poll_fn(write).await?, 7);
    drop(stdin);
    assert_eq!(child.wait_with_output().await?.stdout, b"one two");
    Ok(())
}

#[test]
fn nothing_of_a_child_stays_open() {
    crate::everywhere(|runtime| {
        runtime.block_on(async {
            let sources = || polyloop::Handle::current().driver().registered_sources();
            let mut command = shell("cat; exit 0");
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let before = sources();
            let mut child = command.spawn().unwrap();
            assert!(sources() > before);
            child.wait().await.unwrap();
            drop(child);
            drop(command.spawn().unwrap().wait_with_output().await.unwrap());
            assert_eq!(sources(), before);
        });
    });
}
