//! Names are looked up by what the builder was given.

use polyloop::net::{Resolve, Resolving, TcpListener, TcpStream, lookup_host};
use polyloop::{Builder, Combination, Runtime, time};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// Long enough for any machine; a right run never waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

fn every() -> impl Iterator<Item = Builder> {
    Combination::ALL.into_iter().map(|combination| Builder::new().combination(combination))
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_name_goes_to_the_given_function_and_an_address_does_not() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    let lookup = move |host: &str, port| {
        noted.lock().unwrap().push(format!("{host} {port}"));
        Ok(vec![SocketAddr::from(([127, 0, 0, 7], port))])
    };
    let runtime = Builder::new_current_thread().blocking_resolver(lookup).build().unwrap();
    let found = runtime.block_on(async {
        (lookup_host("somewhere.test:80").await.unwrap(), lookup_host("127.0.0.1:81").await.unwrap())
    });
    assert_eq!(found, (vec![address("127.0.0.7:80")], vec![address("127.0.0.1:81")]));
    assert_eq!(*asked.lock().unwrap(), ["somewhere.test 80"]);
}

#[test]
fn a_connection_by_name_tries_what_was_found() {
    let runtime = |port| {
        let lookup = move |_: &str, _| Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]);
        Builder::new_current_thread().blocking_resolver(lookup).build().unwrap()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap();
    let stream = runtime(here.port()).block_on(TcpStream::connect("somewhere.test:9")).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), here);

    let nothing = Builder::new_current_thread().blocking_resolver(|_, _| Ok(Vec::new())).build().unwrap();
    assert!(nothing.block_on(TcpStream::connect("somewhere.test:9")).is_err());
    assert!(nothing.block_on(TcpListener::bind("somewhere.test:9")).is_err());
}

/// The look-up ends only when a timer of the same runtime, on whichever thread, lets it: on the task's own thread it
/// would wait for itself.
#[test]
fn a_slow_look_up_holds_nobody_up() {
    for builder in every() {
        let (answer, wait) = mpsc::channel();
        let wait = Mutex::new(wait);
        let lookup = move |_: &str, port| match wait.lock().unwrap().recv_timeout(PATIENCE) {
            Ok(()) => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
            Err(_) => Err(io::Error::other("nobody answered, because the timer was held up")),
        };
        let runtime = builder.blocking_resolver(lookup).build().unwrap();
        let found = runtime.block_on(async {
            let slow = polyloop::spawn(lookup_host("slow.test:80"));
            time::sleep(Duration::from_millis(5)).await;
            answer.send(()).unwrap();
            slow.await.unwrap()
        });
        assert_eq!(found.unwrap(), [address("127.0.0.1:80")], "{:?}", runtime.handle());
    }
}

#[test]
fn errors_and_panics_of_the_function_are_errors_of_the_look_up() {
    let ask = |runtime: Runtime| runtime.block_on(lookup_host("somewhere.test:80")).unwrap_err();
    let refuses = |_: &str, _| Err(io::Error::new(io::ErrorKind::NotFound, "no such host"));
    let refused = ask(Builder::new().blocking_resolver(refuses).build().unwrap());
    assert_eq!((refused.kind(), refused.to_string().as_str()), (io::ErrorKind::NotFound, "no such host"));
    let panics = |_: &str, _| panic!("on purpose");
    let panicked = ask(Builder::new().blocking_resolver(panics).build().unwrap());
    assert!(panicked.to_string().contains("on purpose"), "{panicked}");
}

/// Counts its questions, and answers after a sleep on the runtime that asks.
struct Async(Arc<AtomicUsize>);

impl Resolve for Async {
    fn resolve(&self, _host: String, port: u16) -> Resolving {
        self.0.fetch_add(1, SeqCst);
        let asked_on = thread::current().id();
        Box::pin(async move {
            time::sleep(Duration::from_millis(1)).await;
            assert_eq!(thread::current().id(), asked_on, "one thread polls all of it");
            Ok(vec![SocketAddr::from(([127, 0, 0, 9], port))])
        })
    }
}

#[test]
fn a_resolver_that_does_not_block_is_polled_by_the_task_itself_and_the_last_one_named_counts() {
    let questions = Arc::new(AtomicUsize::new(0));
    let never = |_: &str, _| panic!("was replaced");
    let runtime = Builder::new_current_thread()
        .blocking_resolver(never)
        .resolver(Async(questions.clone()))
        .build()
        .unwrap();
    assert_eq!(runtime.block_on(lookup_host("a.test:1")).unwrap(), [address("127.0.0.9:1")]);
    assert_eq!(questions.load(SeqCst), 1);
}

#[test]
fn without_a_resolver_the_system_is_asked() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(lookup_host("localhost:80")).unwrap();
    assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{found:?}");
    assert!(!found.is_empty());
}
