//! Clients that speak HTTP/2 to keep us busy: their connection ends, everybody else is served.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::{
    Backend, Client, Proxy, World,
    h2::{self, Frame, Http2, Raw, block},
    within,
};

/// Sends the same again and again until the connection ends; reads meanwhile, so that it does not end for that reason.
async fn flood(proxy: &Proxy, mut frames: impl FnMut(u32) -> Vec<Frame>) -> Option<u32> {
    let raw = Raw::connect(proxy.http()).await;
    let (reader, mut writer) = raw.stream.into_split();
    let reading = tokio::spawn(async move {
        let mut raw = ReadHalf { stream: reader };
        raw.farewell().await
    });
    within("the end of a flood", async {
        for round in 0.. {
            let bytes: Vec<u8> = frames(round).iter().flat_map(Frame::bytes).collect();
            if tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await.is_err() {
                break;
            }
        }
    })
    .await;
    reading.await.unwrap()
}

struct ReadHalf {
    stream: tokio::net::tcp::OwnedReadHalf,
}

impl ReadHalf {
    /// The error code that the other side left with, if it said any.
    async fn farewell(&mut self) -> Option<u32> {
        use tokio::io::AsyncReadExt;
        let mut code = None;
        let mut head = [0; 9];
        while self.stream.read_exact(&mut head).await.is_ok() {
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            if self.stream.read_exact(&mut payload).await.is_err() {
                break;
            }
            if head[3] == h2::GOAWAY {
                code = Some(Frame::new(h2::GOAWAY, 0, 0, payload).code());
            }
        }
        code
    }
}

async fn world() -> (Proxy, Backend) {
    let backend = Backend::named("hello").await;
    (Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await, backend)
}

async fn others_are_served(proxy: &Proxy) {
    assert_eq!(Client::connect(proxy.http()).await.get("a.example", "/").await.status, 200);
    assert_eq!(Http2::connect(proxy.http()).await.get("http://a.example/").await.0, 200);
}

fn ids(round: u32, count: u32) -> impl Iterator<Item = u32> {
    (round * count..(round + 1) * count).map(|n| n * 2 + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn rapid_reset() {
    let (proxy, _backend) = world().await;
    let reset = |stream| Frame::new(h2::RST_STREAM, 0, stream, [0, 0, 0, 8]);
    let code =
        flood(&proxy, |round| ids(round, 100).flat_map(|stream| [h2::head(stream), reset(stream)]).collect()).await;
    assert!(matches!(code, None | Some(11)), "{code:?}");
    others_are_served(&proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_at_a_time() {
    let (proxy, _backend) = world().await;
    let mut raw = Raw::connect(proxy.http()).await;
    let ended = within("the end", async {
        for stream in ids(0, 5000) {
            // One packet each: every request is seen before it is taken back.
            raw.send(&[h2::head(stream)]).await;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            if !raw.send(&[Frame::new(h2::RST_STREAM, 0, stream, [0, 0, 0, 8])]).await {
                return true;
            }
        }
        false
    })
    .await;
    assert!(ended);
    others_are_served(&proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn continuations_without_end() {
    let (proxy, backend) = world().await;
    let first = Frame::new(h2::HEADERS, h2::END_STREAM, 1, block(&[(":method", "GET")]));
    let more = Frame::new(h2::CONTINUATION, 0, 1, block(&[("x", "y")]));
    flood(&proxy, |round| if round == 0 { vec![first.clone()] } else { vec![more.clone(); 100] }).await;
    others_are_served(&proxy).await;
    assert_eq!(backend.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_say_nothing() {
    let (proxy, _backend) = world().await;
    let frames = [
        Frame::new(h2::PING, 0, 0, [0; 8]),
        Frame::new(h2::SETTINGS, 0, 0, []),
        Frame::new(2, 0, 1, [0, 0, 0, 0, 1]),
        Frame::new(h2::WINDOW_UPDATE, 0, 0, [0, 0, 0, 1]),
        Frame::new(0xbe, 0, 0, [0; 100]),
    ];
    for frame in frames {
        flood(&proxy, |_| vec![frame.clone(); 1000]).await;
        others_are_served(&proxy).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_empty() {
    let (proxy, _backend) = world().await;
    let post = [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", "/")];
    let head = Frame::new(h2::HEADERS, h2::END_HEADERS, 1, block(&post));
    let nothing = Frame::new(h2::DATA, 0, 1, []);
    flood(&proxy, |round| if round == 0 { vec![head.clone()] } else { vec![nothing.clone(); 1000] }).await;
    others_are_served(&proxy).await;
}

/// A field of 4,000 bytes is put into the dynamic table once and named 4,000 times: 16 MB of head in a frame of 4 KB.
#[tokio::test(flavor = "multi_thread")]
async fn hpack_bomb() {
    let (proxy, backend) = world().await;
    let mut raw = Raw::connect(proxy.http()).await;
    let mut bomb = block(&[(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/")]);
    let field = block(&[("x", &"y".repeat(3900))]);
    bomb.push(0x40);
    bomb.extend(&field[1..]);
    bomb.extend([0x80 | 62; 4000]);
    raw.send(&[Frame::new(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, 1, bomb)]).await;
    let frame = raw.next_of(&[h2::HEADERS, h2::RST_STREAM, h2::GOAWAY]).await;
    assert!(frame.is_some());
    others_are_served(&proxy).await;
    assert_eq!(backend.requests().len(), 2);
}

/// The codes that RFC 9113 has for what h2 takes for a PROTOCOL_ERROR; whoever keeps to the rules goes on.
#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_are_told_by_their_code() {
    let world = World::new();
    let proxy = Proxy::start(&world).await;
    for (frames, code) in [
        (vec![Frame::new(h2::PING, 0, 0, [0; 7])], h2_reason::FRAME_SIZE_ERROR),
        (vec![Frame::new(h2::WINDOW_UPDATE, 0, 0, [0; 5])], h2_reason::FRAME_SIZE_ERROR),
        (vec![Frame::new(h2::SETTINGS, 0, 0, [0, 4, 0x80, 0, 0, 0])], h2_reason::FLOW_CONTROL_ERROR),
        (vec![h2::head(1), h2::head(1)], h2_reason::STREAM_CLOSED),
        (vec![h2::head(1), Frame::new(h2::DATA, 0, 1, [0; 3])], h2_reason::STREAM_CLOSED),
        (vec![Frame::new(5, h2::END_HEADERS, 1, [0; 4])], h2_reason::PROTOCOL_ERROR),
    ] {
        let mut raw = Raw::connect(proxy.http()).await;
        raw.send(&frames).await;
        assert_eq!(raw.next_of(&[h2::GOAWAY]).await.unwrap().code(), code, "{frames:?}");
        raw.ended().await;
    }
    let mut raw = Raw::connect(proxy.http()).await;
    raw.send(&[h2::head(1), Frame::new(h2::PING, 0, 0, [0; 8]), h2::head(3)]).await;
    for stream in [1, 3] {
        assert_eq!(raw.next_of(&[h2::HEADERS]).await.unwrap().stream, stream);
    }
    drop(raw);
    let log = proxy.stop().await;
    let broken = log.lines().filter(|line| line.contains("\"-\" 400 ")).count();
    assert_eq!(broken, 6, "each of them is in the log:\n{log}");
}

/// Section 7 of RFC 9113.
mod h2_reason {
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    pub const STREAM_CLOSED: u32 = 5;
    pub const FRAME_SIZE_ERROR: u32 = 6;
}
