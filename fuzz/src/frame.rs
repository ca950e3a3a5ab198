//! What comes over the socket between the planes, or is read from a file.

use std::sync::Arc;

use snapshot::{
    Snapshot,
    frame::{Assembly, Frame, HEADER, MAX_FRAME, Step, payload_length, push},
};

/// Whatever bytes come: each frame is an error or one that is written as it was read; a push that is complete makes a
/// snapshot that survives the way through frames; and what is held changes by a whole push only.
///
/// # Panics
/// It does not hold.
pub fn frame(data: &[u8]) {
    let mut assembly = Assembly::default();
    let mut left = data;
    while let Some((payload, rest)) = split(left) {
        left = rest;
        let frame = Frame::decode(payload);
        if let Ok(frame) = &frame {
            is_written_as_read(frame);
        }
        let held = assembly.held().cloned();
        match assembly.take(frame) {
            Ok(Step::Complete(snapshot)) => {
                let snapshot = Arc::new(snapshot);
                survives(&snapshot, &mut Assembly::default());
                assembly.hold(snapshot);
                continue;
            }
            Ok(Step::More | Step::Spoiled { .. } | Step::Hello(_) | Step::Report(_)) => {}
            Err(_) => return,
        }
        let unchanged = held.as_ref().map(Arc::as_ptr) == assembly.held().map(Arc::as_ptr);
        assert!(unchanged, "a part of a push has changed what is held");
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    rest.split_at_checked(payload_length(*header, MAX_FRAME).ok()?)
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).expect("a frame that was read is not too long");
    bytes
}

/// What was read may have been written in another way (spaces in JSON); from then on it stays the same.
fn is_written_as_read(frame: &Frame) {
    let once = encoded(frame);
    let (payload, rest) = split(&once).expect("a whole frame");
    assert!(rest.is_empty());
    let again = encoded(&Frame::decode(payload).expect("what was written can be read"));
    assert!(once == again, "written twice it is another one");
}

fn survives(snapshot: &Arc<Snapshot>, assembly: &mut Assembly) {
    for frame in push(None, snapshot) {
        let bytes = encoded(&frame);
        let (payload, _) = split(&bytes).expect("a whole frame");
        if let Step::Complete(arrived) = assembly.take(Frame::decode(payload)).expect("frames in order") {
            assert!(arrived == **snapshot, "another snapshot has arrived");
        }
    }
}
