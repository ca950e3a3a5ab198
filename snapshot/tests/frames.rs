//! Snapshots through frames, and what is no frame.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use snapshot::{
    Map, PrivateKey, Report, Snapshot, SnapshotId,
    frame::{
        Assembly, Begin, Frame, FrameError, HEADER, Hello, MAX_FRAME, MAX_HELLO, OutOfOrder, PROTOCOL, SCHEMA, Step,
        payload_length, push,
    },
};
use support::{endpoints, full, put_cert};

/// Through bytes and back, as over a socket.
fn carry(assembly: &mut Assembly, frames: &[Frame]) -> Snapshot {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes).unwrap());
    let mut left = &bytes[..];
    while let Some((header, rest)) = left.split_first_chunk::<HEADER>() {
        let (payload, rest) = rest.split_at(payload_length(*header, MAX_FRAME).unwrap());
        left = rest;
        match assembly.take(Frame::decode(payload)).unwrap() {
            Step::More => {}
            Step::Complete(snapshot) => {
                assert!(left.is_empty());
                return snapshot;
            }
            _ => panic!("spoiled"),
        }
    }
    panic!("not complete");
}

fn holding(snapshot: &Snapshot) -> Assembly {
    let mut assembly = Assembly::default();
    assembly.hold(Arc::new(snapshot.clone()));
    assembly
}

fn payload(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).unwrap();
    bytes.split_off(HEADER)
}

#[test]
fn a_whole_snapshot_comes_out_as_it_went_in() {
    let snapshot = full(1);
    let arrived = carry(&mut Assembly::default(), &push(None, &snapshot));
    assert!(arrived == snapshot);
    // Nested certificates are there once, however many pieces name them.
    let by_host = match &arrived.listeners.get("https").unwrap().serves {
        snapshot::Serves::Tls { by_host, .. } => by_host.values().next().unwrap().client_auth.clone().unwrap(),
        _ => panic!("not TLS"),
    };
    let rule = arrived.tables.get("a.example").unwrap().client_cert.clone().unwrap();
    assert!(Arc::ptr_eq(&by_host.ca, &rule.auth.as_ref().unwrap().ca));
}

#[test]
fn a_difference_holds_what_differs_and_nothing_else() {
    let base = full(1);
    let mut next = base.clone();
    next.id.sequence = 2;
    next.endpoints.insert("default/a:80".into(), endpoints(&[9090]));
    let frames = push(Some(&base), &next);
    assert!(frames.len() == 3 && matches!(frames[1], Frame::Put(_)));
    let mut assembly = holding(&base);
    let arrived = carry(&mut assembly, &frames);
    assert!(arrived == next);
    let held = assembly.held().unwrap();
    assert!(arrived.tables.iter().all(|(id, table)| Arc::ptr_eq(table, held.tables.get(id).unwrap())));
}

#[test]
fn pieces_of_each_kind_go_and_change() {
    let base = full(1);
    let mut next = base.clone();
    next.id.sequence = 2;
    next.listeners.remove("http");
    next.tables.remove("*");
    next.upstreams.remove("default/b:443");
    next.endpoints = Map::default();
    next.certs.remove("default/id");
    next.keys.remove("default/id");
    next.ticket_key = None;
    next.drain_timeout += std::time::Duration::from_secs(1);
    put_cert(&mut next, "default/tls", 7);
    let arrived = carry(&mut holding(&base), &push(Some(&base), &next));
    assert!(arrived == next);
    let back = carry(&mut holding(&next), &push(Some(&next), &base));
    assert!(back == base);
}

#[test]
fn a_changed_key_alone_is_a_difference() {
    let base = full(1);
    let mut next = base.clone();
    next.keys.insert("default/tls".into(), Arc::new(PrivateKey::new(snapshot::KeyFormat::Pkcs8, vec![8; 9])));
    let arrived = carry(&mut holding(&base), &push(Some(&base), &next));
    assert!(arrived.keys == next.keys);
}

#[test]
fn without_a_base_what_is_not_put_is_gone_and_what_is_the_same_is_shared() {
    let old = full(1);
    let mut next = full(2);
    next.tables.remove("*");
    let mut assembly = holding(&old);
    let arrived = carry(&mut assembly, &push(None, &next));
    assert!(arrived == next && !arrived.tables.contains_key("*"));
    let held = assembly.held().unwrap();
    assert!(Arc::ptr_eq(arrived.tables.get("a.example").unwrap(), held.tables.get("a.example").unwrap()));
    assert!(Arc::ptr_eq(arrived.certs.get("default/tls").unwrap(), held.certs.get("default/tls").unwrap()));
    assert!(Arc::ptr_eq(arrived.keys.get("default/tls").unwrap(), held.keys.get("default/tls").unwrap()));
}

#[test]
fn nothing_takes_effect_before_commit() {
    let mut frames = push(None, &full(1));
    frames.pop();
    let mut assembly = Assembly::default();
    for frame in frames {
        assert!(matches!(assembly.take(Ok(frame)), Ok(Step::More)));
    }
    assert!(assembly.held().is_none());
    assembly.abandon();
    assert!(matches!(assembly.take(Ok(Frame::Commit)), Err(OutOfOrder::OutsidePush)));
}

#[test]
fn frames_out_of_order_are_refused() {
    let begin = |base| Ok(Frame::Begin(Begin { base, id: full(2).id }));
    let mut assembly = Assembly::default();
    assert!(matches!(assembly.take(begin(Some(full(1).id))), Err(OutOfOrder::UnknownBase)));
    for frame in push(None, &full(1)).into_iter().skip(1) {
        assert!(matches!(assembly.take(Ok(frame)), Err(OutOfOrder::OutsidePush)));
    }
    assert!(assembly.take(begin(None)).is_ok());
    assert!(matches!(assembly.take(begin(None)), Err(OutOfOrder::InsidePush)));
}

#[test]
fn a_difference_to_what_was_told_is_taken_until_a_push_has_ended() {
    let (one, two) = (full(1), full(2));
    let mut assembly = holding(&one);
    assert_eq!(assembly.tell(), Some(one.id));
    assembly.hold(Arc::new(two.clone()));
    assert!(carry(&mut assembly, &push(Some(&one), &two)) == two);
    let again = Frame::Begin(Begin { base: Some(one.id), id: two.id });
    assert!(matches!(assembly.take(Ok(again)), Err(OutOfOrder::UnknownBase)));
}

#[test]
fn an_item_that_cannot_be_read_spoils_its_push_and_no_other() {
    let frames = push(None, &full(1));
    let mut assembly = Assembly::default();
    let mut bad = payload(frames.iter().find(|frame| matches!(frame, Frame::Put(_))).unwrap());
    bad.truncate(bad.len() - 1);
    assembly.take(Ok(frames[0].clone())).unwrap();
    assert!(matches!(assembly.take(Frame::decode(&bad)), Ok(Step::More)));
    let Ok(Step::Spoiled { id, reason }) = assembly.take(Ok(Frame::Commit)) else { panic!("taken") };
    assert!(id == full(1).id && reason.contains("piece"), "{reason}");
    assert!(carry(&mut assembly, &frames) == full(1));
    // Outside of a push it is no item.
    assert!(assembly.take(Frame::decode(&bad)).is_err());
}

#[test]
fn a_certificate_without_its_bytes_spoils_the_push() {
    let is_bytes: [fn(&Frame) -> bool; 3] = [
        |frame| matches!(frame, Frame::Chain(..)),
        |frame| matches!(frame, Frame::Ca(_)),
        |frame| matches!(frame, Frame::Anchors(_)),
    ];
    for is_bytes in is_bytes {
        let mut assembly = Assembly::default();
        let mut last = Step::More;
        for frame in push(None, &full(1)).into_iter().filter(|frame| !is_bytes(frame)) {
            last = assembly.take(Ok(frame)).unwrap();
        }
        assert!(matches!(last, Step::Spoiled { .. }));
    }
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let mut frames = push(None, &full(1));
    frames
        .extend([Frame::Hello(Hello::ours(None)), Frame::Report(Report::Applied { id: full(1).id, rejected: vec![] })]);
    for frame in frames {
        let whole = payload(&frame);
        assert!(Frame::decode(&whole).map(|frame| payload(&frame)) == Ok(whole.clone()));
        for length in 0..whole.len().min(2000) {
            assert!(Frame::decode(&whole[..length]).is_err(), "cut at {length}");
        }
        let longer: Vec<u8> = whole.iter().copied().chain([0]).collect();
        assert!(Frame::decode(&longer).is_err());
        for index in 0..whole.len().min(500) {
            let mut flipped = whole.clone();
            flipped[index] ^= 0x55;
            drop(Frame::decode(&flipped));
        }
    }
    assert!(Frame::decode(&[]) == Err(FrameError::Empty));
    assert!(Frame::decode(&[99, 1]) == Err(FrameError::UnknownKind(99)));
}

#[test]
fn lengths_are_checked_before_anything_is_allocated() {
    assert_eq!(payload_length([0, 0, 0, 9], 9), Ok(9));
    assert_eq!(payload_length([0, 0, 0, 10], 9), Err(FrameError::TooLong { length: 10, limit: 9 }));
    assert_eq!(payload_length(*b"GET ", MAX_FRAME), Err(FrameError::TooLong { length: 0x4745_5420, limit: MAX_FRAME }));
    assert_eq!(payload_length([0; 4], 9), Err(FrameError::Empty));
    // A list that promises four thousand million items.
    assert!(Frame::decode(&[3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 7]) == Err(FrameError::Cut));
}

#[test]
fn items_of_nothing_are_neither_taken_nor_sent() {
    // A thousand of them would come in four bytes each.
    let mut many = vec![2, 0, 0, 0, 1, b'x', 0, 0, 3, 0xe8];
    many.extend([0; 4000]);
    assert!(matches!(Frame::decode(&many), Err(FrameError::Value { what: "list", .. })));
    // A Secret may have one behind its certificate: that must not spoil everybody's push.
    let sent = Frame::Chain("x".into(), vec![vec![7], Vec::new(), vec![8]]);
    assert!(Frame::decode(&payload(&sent)) == Ok(Frame::Chain("x".into(), vec![vec![7], vec![8]])));
}

#[test]
fn of_a_data_plane_only_what_it_sends_is_looked_into() {
    let report = Report::Applied { id: full(1).id, rejected: vec![] };
    for frame in [Frame::Hello(Hello::ours(None)), Frame::Report(report)] {
        assert!(Frame::decode_upward(&payload(&frame)) == Ok(frame));
    }
    for frame in push(None, &full(1)) {
        let payload = payload(&frame);
        assert!(Frame::decode_upward(&payload) == Err(FrameError::Downward(payload[0])));
    }
    assert!(Frame::decode_upward(&[]) == Err(FrameError::Empty));
}

#[test]
fn a_hello_is_short() {
    let id = SnapshotId { instance: u64::MAX, sequence: u64::MAX };
    assert!(payload(&Frame::Hello(Hello::ours(Some(id)))).len() < MAX_HELLO / 8);
}

#[test]
fn a_frame_that_is_too_long_is_not_sent() {
    let mut bytes = vec![7];
    let long = Frame::Chain("x".into(), vec![vec![0; MAX_FRAME]]);
    assert!(matches!(long.encode(&mut bytes), Err(FrameError::TooLong { .. })));
    assert_eq!(bytes, [7]);
}

#[test]
fn another_version_is_told_by_its_hello() {
    assert_eq!(Hello::ours(None).mismatch("the controller"), None);
    let schema = Hello { schema: SCHEMA ^ 1, ..Hello::ours(None) };
    assert!(schema.mismatch("the controller").unwrap().contains("schema"));
    let protocol = Hello { protocol: PROTOCOL + 1, ..Hello::ours(None) };
    assert!(protocol.mismatch("the controller").unwrap().contains("protocol"));
    // A later version may say more.
    let mut later = vec![0];
    later.extend(br#"{"protocol":7,"schema":1,"held":null,"more":[1]}"#);
    assert!(matches!(Frame::decode(&later), Ok(Frame::Hello(Hello { protocol: 7, .. }))));
}
