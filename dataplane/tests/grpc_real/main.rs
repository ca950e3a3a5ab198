//! gRPC with a client and a server that are not ours (tonic), in the clear and over TLS. What needs frames made by hand
//! is in `grpc.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod client;
mod service;
#[path = "../support/mod.rs"]
mod support;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use client::Client;
use futures_util::stream;
use service::GrpcBackend;
use snapshot::Protocol;
use support::{Proxy, World, within};
use tokio::sync::mpsc;
use tonic::{Code, IntoRequest, Request};

/// The calls of a.example go to `endpoints`.
fn world(endpoints: &[SocketAddr]) -> World {
    let world = World::new().route("a.example", "/", endpoints).protocol(Protocol::Http2);
    world.cert("own", &["a.example"]).tls(&[("a.example", "own")], None)
}

/// A proxy, and a client for each way to it.
async fn served(world: &World) -> (Proxy, [Client; 2]) {
    let proxy = Proxy::start(world).await;
    let clear = Client::in_the_clear(&proxy).await;
    let tls = Client::over_tls(&proxy, &world.snapshot.certs.get("own").unwrap().chain[0]).await;
    (proxy, [clear, tls])
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn unary() {
    let backend = GrpcBackend::start().await;
    let (_proxy, clients) = served(&world(&[backend.address])).await;
    for (mut client, scheme) in clients.into_iter().zip(["http", "https"]) {
        let mut request = text("hello").into_request();
        request.metadata_mut().insert("x-ascii", "as it is".parse().unwrap());
        request.metadata_mut().insert_bin("x-any-bin", tonic::metadata::MetadataValue::from_bytes(b"\x00\xfe"));
        let answer = within("an answer", client.unary("/test.Text/Upper", request)).await.unwrap();
        assert_eq!(answer.into_inner(), "HELLO");
        let metadata = backend.seen.metadata.lock().unwrap().pop().unwrap();
        assert_eq!(metadata.get("x-ascii").unwrap(), "as it is");
        assert_eq!(metadata.get_bin("x-any-bin").unwrap().to_bytes().unwrap(), &b"\x00\xfe"[..]);
        assert_eq!(metadata.get("x-forwarded-proto").unwrap(), scheme);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_streaming() {
    let backend = GrpcBackend::start().await;
    let (_proxy, clients) = served(&world(&[backend.address])).await;
    for mut client in clients {
        let words = stream::iter((0..100).map(|n| Bytes::from(n.to_string())));
        let answer = within("an answer", client.client_streaming("/test.Text/Join", words)).await.unwrap();
        assert_eq!(answer.into_inner(), (0..100).map(|n| n.to_string()).collect::<String>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_streaming() {
    let backend = GrpcBackend::start().await;
    let (_proxy, clients) = served(&world(&[backend.address])).await;
    for mut client in clients {
        let call = client.server_streaming("/test.Text/Split", text("one two three"));
        let mut messages = within("an answer", call).await.unwrap().into_inner();
        for word in ["one", "two", "three"] {
            assert_eq!(within("a message", messages.message()).await.unwrap().unwrap(), word);
        }
        assert!(within("the end", messages.message()).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_streaming() {
    let backend = GrpcBackend::start().await;
    let (_proxy, clients) = served(&world(&[backend.address])).await;
    for mut client in clients {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let words = stream::poll_fn(move |cx| receiver.poll_recv(cx));
        // The head of the answer is here before the first message is sent.
        let call = client.streaming("/test.Text/Chat", words);
        let mut messages = within("an answer", call).await.unwrap().into_inner();
        // Each word waits for the answer to the one before.
        for (word, answer) in [("one", "ONE"), ("two", "TWO"), ("three", "THREE")] {
            sender.send(text(word)).unwrap();
            assert_eq!(within("a message", messages.message()).await.unwrap().unwrap(), answer);
        }
        drop(sender);
        assert!(within("the end", messages.message()).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_without_messages_comes_whole() {
    let backend = GrpcBackend::start().await;
    let (_proxy, clients) = served(&world(&[backend.address])).await;
    for mut client in clients {
        let status = within("an answer", client.unary("/test.Text/Refuse", text("x"))).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, "nothing: 100 %"));
        assert_eq!(status.details(), b"\x00\xff");
        assert_eq!(status.metadata().get("x-reason").unwrap(), "none");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_after_messages_comes_whole() {
    let backend = GrpcBackend::start().await;
    let (_proxy, clients) = served(&world(&[backend.address])).await;
    for mut client in clients {
        let call = client.server_streaming("/test.Text/Break", text("x"));
        let mut messages = within("an answer", call).await.unwrap().into_inner();
        for word in ["one", "two"] {
            assert_eq!(within("a message", messages.message()).await.unwrap().unwrap(), word);
        }
        let status = within("the end", messages.message()).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::DataLoss, "the rest is gone"));
        assert_eq!(status.metadata().get("x-reason").unwrap(), "gone");
    }
}

/// With a deadline.
fn within_deadline(deadline: Duration) -> Request<Bytes> {
    let mut request = Request::new(text("x"));
    request.set_timeout(deadline);
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_reaches_the_server() {
    let backend = GrpcBackend::start().await;
    let (_proxy, clients) = served(&world(&[backend.address])).await;
    for mut client in clients {
        // The server gives up in time for its client to hear of it.
        let call = client.unary("/test.Text/GiveUp", within_deadline(Duration::from_secs(40)));
        let status = within("an answer", call).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        let metadata = backend.seen.metadata.lock().unwrap().pop().unwrap();
        assert_eq!(metadata.get("grpc-timeout").unwrap(), "40000000u");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_cancels_the_call() {
    let backend = GrpcBackend::start().await;
    let (_proxy, clients) = served(&world(&[backend.address])).await;
    for mut client in clients {
        let call = client.unary("/test.Text/Hang", within_deadline(Duration::from_millis(300)));
        let status = within("an answer", call).await.unwrap_err();
        // What tonic makes of a deadline of its own, whichever side notices first.
        assert_eq!((status.code(), status.message()), (Code::Cancelled, "Timeout expired"));
        within("the cancellation", backend.seen.cancelled.notified()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_its_client_drops_is_cancelled() {
    let backend = GrpcBackend::start().await;
    let (_proxy, clients) = served(&world(&[backend.address])).await;
    for client in clients {
        let mut asking = client.clone();
        let call = tokio::spawn(async move { asking.unary("/test.Text/Hang", text("x")).await });
        within("the call", backend.seen.begun.notified()).await;
        call.abort();
        within("the cancellation", backend.seen.cancelled.notified()).await;

        // The same of a stream that has begun.
        let mut asking = client.clone();
        let call = asking.server_streaming("/test.Text/Drip", text("x"));
        let mut messages = within("an answer", call).await.unwrap().into_inner();
        within("the call", backend.seen.begun.notified()).await;
        assert_eq!(within("a message", messages.message()).await.unwrap().unwrap(), "one");
        drop(messages);
        within("the cancellation", backend.seen.cancelled.notified()).await;

        // The connection is as good as before.
        let mut asking = client.clone();
        let answer = within("an answer", asking.unary("/test.Text/Upper", text("x"))).await.unwrap();
        assert_eq!(answer.into_inner(), "X");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_go_both_ways_up_to_the_limit_of_bodies() {
    let backend = GrpcBackend::start().await;
    let world = world(&[backend.address]).max_body(Some(5 << 20));
    let (_proxy, clients) = served(&world).await;
    let message: Bytes = (0..4 << 20).map(|n: u32| b'a' + (n % 23) as u8).collect();
    for mut client in clients {
        let answer = within("an answer", client.unary("/test.Text/Upper", message.clone())).await.unwrap();
        assert!(answer.into_inner() == message.to_ascii_uppercase());
        // The limit is for all messages of a call together, as everywhere in HTTP.
        let twice = stream::iter([message.clone(), message.clone()]);
        let status = within("an answer", client.client_streaming("/test.Text/Join", twice)).await.unwrap_err();
        assert!(status.message().contains("413"), "{status}");
        let answer = within("an answer", client.unary("/test.Text/Upper", text("x"))).await.unwrap();
        assert_eq!(answer.into_inner(), "X");
    }
}

/// What a client makes of our own answers (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>).
#[tokio::test(flavor = "multi_thread")]
async fn our_own_answers_are_understood() {
    let backend = GrpcBackend::start().await;
    let gone = GrpcBackend::start().await.address;
    let slow = world(&[backend.address]).timeouts(|timeouts| timeouts.read = Duration::from_secs(1));
    let mut elsewhere = World::new().route("other.example", "/", &[backend.address]);
    elsewhere = elsewhere.cert("own", &["a.example"]).tls(&[("a.example", "own")], None);
    for (world, status, code) in [
        (world(&[gone]), "502", Code::Unavailable),
        (world(&[]), "503", Code::Unavailable),
        (slow, "504", Code::Unavailable),
        (elsewhere, "404", Code::Unimplemented),
    ] {
        let (_proxy, clients) = served(&world).await;
        for mut client in clients {
            let answer = within("an answer", client.unary("/test.Text/Hang", text("x"))).await.unwrap_err();
            assert_eq!(answer.code(), code, "{status}: {answer}");
            assert!(answer.message().contains(status), "{status}: {answer}");
        }
    }
}
