//! Names looked up by hickory on every combination: over UDP, over TCP where an answer does not fit, again where one is lost, and from
//! servers that say nothing.

#![forbid(unsafe_code)]

use ecosystem_dns::{Over, PATIENCE, TEXTS, resolver, resolver_within, serve};
use ecosystem_support::{Program, on_each};
use futures::future::join_all;
use polyloop::time::{Instant, timeout};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

#[polyloop::test(all)]
async fn an_address_comes_over_udp() {
    let (server, asked) = serve().await.unwrap();
    let found = resolver(server).unwrap().ipv4_lookup("7.test.").await.unwrap();
    let found: Vec<_> = found.answers().iter().map(|record| record.data.ip_addr()).collect();
    assert_eq!(found, [Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)))]);
    // hickory sends a datagram again when an answer is late, and so the number of them is the machine's affair.
    assert!(asked.count(Over::Udp, "7.test.") >= 1);
    assert_eq!(asked.count(Over::Tcp, "7.test."), 0);
}

#[polyloop::test(all)]
async fn what_does_not_fit_into_a_datagram_comes_over_tcp() {
    let (server, asked) = serve().await.unwrap();
    let found = resolver(server).unwrap().txt_lookup("long.test.").await.unwrap();
    assert_eq!(found.answers().len(), TEXTS);
    assert!(asked.count(Over::Udp, "long.test.") >= 1);
    assert_eq!(asked.count(Over::Tcp, "long.test."), 1);
}

#[polyloop::test(all)]
async fn a_hundred_at_once_have_each_their_own_answer() {
    let (server, _) = serve().await.unwrap();
    let resolver = resolver(server).unwrap();
    let asking = (0..100_u8).map(|n| {
        let resolver = resolver.clone();
        polyloop::spawn(async move {
            let found = resolver.ipv4_lookup(format!("{n}.test.")).await.unwrap();
            assert_eq!(found.answers()[0].data.ip_addr(), Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, n))));
        })
    });
    join_all(asking.collect::<Vec<_>>()).await.into_iter().for_each(|asked| asked.unwrap());
}

/// The question is asked again by a timer.
#[polyloop::test(all)]
async fn an_answer_that_is_lost_is_asked_for_again() {
    let (server, asked) = serve().await.unwrap();
    let found = resolver_within(server, PATIENCE).unwrap().ipv4_lookup("lost.test.").await.unwrap();
    assert_eq!(found.answers().len(), 1);
    assert!(asked.count(Over::Udp, "lost.test.") + asked.count(Over::Tcp, "lost.test.") >= 2);
}

#[polyloop::test(all)]
async fn a_name_that_nobody_has_is_an_error_at_once() {
    let (server, _) = serve().await.unwrap();
    let error = resolver(server).unwrap().ipv4_lookup("nobody.test.").await.unwrap_err();
    assert!(error.is_nx_domain(), "{error}");
}

#[polyloop::test(all)]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    let asking = resolver_within(silent.local_addr().unwrap(), PATIENCE).unwrap();
    let given_up = timeout(Duration::from_secs(60), asking.ipv4_lookup("7.test.")).await;
    given_up.expect("hickory gives up first").unwrap_err();
    assert!(start.elapsed() >= PATIENCE, "{:?}", start.elapsed());
}

/// hickory's sockets and tasks are those of the runtime whose handle it has, and go with it.
fn a_resolver_of_a_runtime_that_is_gone_says_so(combination: &str) {
    let [gone, other] = [(); 2].map(|()| polyloop::Runtime::from_name(combination).unwrap());
    let (server, asked) = other.block_on(serve()).unwrap();
    let late = gone.block_on(async { resolver(server).unwrap() });
    let _ = gone.shutdown(Duration::from_secs(60));
    other.block_on(async {
        let answer = timeout(Duration::from_secs(60), late.ipv4_lookup("7.test.")).await;
        answer.expect("it does not hang").unwrap_err();
        // The server is there, and has by now heard whatever was sent before this.
        resolver(server).unwrap().ipv4_lookup("8.test.").await.unwrap();
    });
    assert!(asked.count(Over::Udp, "8.test.") >= 1);
    assert_eq!(asked.count(Over::Udp, "7.test.") + asked.count(Over::Tcp, "7.test."), 0);
}
on_each!(a_resolver_of_a_runtime_that_is_gone_says_so);

fn the_program_has_no_reactor_but_ours(combination: &str) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_look_up"), combination, ["7.test", "9.test"]);
    assert_eq!(program.line(), "7.test: 192.0.2.7");
    assert_eq!(program.line(), "9.test: 192.0.2.9");
    assert_eq!(program.line(), format!("long.test: {TEXTS} texts"));
    program.facts().assert_native(combination);
    assert_eq!(program.finish(), "");
}
on_each!(the_program_has_no_reactor_but_ours);
