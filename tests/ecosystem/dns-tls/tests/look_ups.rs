//! Names looked up over TLS on every combination, through the bridge, and what happens without it.

#![forbid(unsafe_code)]

use ecosystem_dns::{Over, TEXTS};
use ecosystem_dns_tls::{resolver, serve};
use ecosystem_support::Certified;
use futures::FutureExt;
use futures::future::join_all;
use polyloop::compat::tokio::compat;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;

#[polyloop::test(all)]
async fn names_are_looked_up_over_one_connection_through_the_bridge() {
    let certified = Certified::localhost();
    let (server, asked) = serve(&certified).await.unwrap();
    let resolver = resolver(server, &certified).unwrap();
    let found = compat(resolver.ipv4_lookup("7.test.")).await.unwrap();
    assert_eq!(found.answers()[0].data.ip_addr(), Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))));
    let long = compat(resolver.txt_lookup("long.test.")).await.unwrap();
    assert_eq!(long.answers().len(), TEXTS);
    let asking = (0..20_u8).map(|n| {
        let resolver = resolver.clone();
        polyloop::spawn(compat(async move {
            let found = resolver.ipv4_lookup(format!("{n}.test.")).await.unwrap();
            assert_eq!(found.answers()[0].data.ip_addr(), Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, n))));
        }))
    });
    join_all(asking.collect::<Vec<_>>()).await.into_iter().for_each(|asked| asked.unwrap());
    let error = compat(resolver.ipv4_lookup("nobody.test.")).await.unwrap_err();
    assert!(error.is_nx_domain(), "{error}");
    assert!(asked.count(Over::Tcp, "7.test.") >= 1);
    assert_eq!(asked.count(Over::Udp, "7.test."), 0);
}

#[polyloop::test(all)]
async fn a_server_that_nobody_trusts_is_told_no_name() {
    let (server, asked) = serve(&Certified::localhost()).await.unwrap();
    let resolver = resolver(server, &Certified::localhost()).unwrap();
    compat(resolver.ipv4_lookup("7.test.")).await.unwrap_err();
    assert_eq!(asked.count(Over::Tcp, "7.test."), 0);
}

/// The table of `docs/guide/ecosystem.md`.
#[polyloop::test(all)]
async fn without_the_bridge_the_handshake_says_that_there_is_no_reactor() {
    let certified = Certified::localhost();
    let (server, _) = serve(&certified).await.unwrap();
    let resolver = resolver(server, &certified).unwrap();
    let panic = AssertUnwindSafe(resolver.ipv4_lookup("7.test.")).catch_unwind().await.unwrap_err();
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    assert!(text.unwrap().contains("Tokio 1.x"), "{text:?}");
}
