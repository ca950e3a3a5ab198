//! Large bodies pass through without being held.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{Backend, Proxy, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LENGTH: u64 = 1 << 30;
const BLOCK: usize = 1 << 18;
/// KiB.
const MOST: u64 = 20 << 10;

/// The peak of resident memory in KiB since it was last reset.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn reset_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak()
}

/// The kernel sums its threads' counts up now and then: a peak may be a little below what was there when it was reset.
fn risen_since(before: u64) -> u64 {
    peak().saturating_sub(before)
}

/// Sends `LENGTH` bytes, or takes as many.
async fn reservoir() -> Backend {
    Backend::raw(|mut stream, _| async move {
        let mut buffer = vec![0; BLOCK];
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            stream.read_buf(&mut head).await.unwrap();
        }
        if head.starts_with(b"GET") {
            let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {LENGTH}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            for _ in 0..LENGTH / BLOCK as u64 {
                stream.write_all(&buffer).await.unwrap();
            }
        } else {
            let end = head.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            let mut left = LENGTH - (head.len() - end) as u64;
            while left > 0 {
                left -= stream.read(&mut buffer).await.unwrap() as u64;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_each_way_costs_no_memory() {
    let backend = reservoir().await;
    let world = World::new().route("a.example", "/", &[backend.address]).max_body(None);
    let proxy = Proxy::start(&world.timeouts(|t| t.read = Duration::from_secs(120))).await;
    let mut buffer = vec![0; BLOCK];
    // Whatever is needed once is there.
    assert_eq!(proxy.client().await.get("b.example", "/").await.status, 404);

    let before = reset_peak();
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    client.head().await;
    let mut got = client.unread.len() as u64;
    while got < LENGTH {
        got += client.stream.read(&mut buffer).await.unwrap() as u64;
    }
    let down = risen_since(before);

    let before = reset_peak();
    let mut client = proxy.client().await;
    client.send(format!("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: {LENGTH}\r\n\r\n")).await;
    for _ in 0..LENGTH / BLOCK as u64 {
        client.stream.write_all(&buffer).await.unwrap();
    }
    assert_eq!(client.answer().await.text(), "ok");
    let up = risen_since(before);
    assert!(down < MOST && up < MOST, "{down} KiB down, {up} KiB up");
}
