//! From the file to a snapshot.

use std::{fs, io, path::Path};

use snapshot::{
    Snapshot,
    frame::{Assembly, Frame, HEADER, MAX_FRAME, Step, payload_length},
};

/// What was committed last; none where nothing was kept.
///
/// # Errors
/// What is there cannot be used, and why.
pub(super) fn load(file: &Path) -> Result<Option<Snapshot>, String> {
    match fs::read(file) {
        Ok(bytes) => read(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn read(bytes: &[u8]) -> Result<Option<Snapshot>, String> {
    let (mut frame, mut left) = split(bytes).ok_or("it is no such file")?;
    match Frame::decode(frame) {
        Ok(Frame::Hello(hello)) => hello.mismatch("the file").map_or(Ok(()), Err)?,
        Ok(_) => return Err("it does not say which build it is of".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    let mut assembly = Assembly::default();
    while !left.is_empty() {
        // The end of a process may have cut the last push off.
        let Some(next) = split(left) else { break };
        (frame, left) = next;
        match assembly.take(Frame::decode(frame)) {
            Ok(Step::More) => {}
            Ok(Step::Complete(snapshot)) => assembly.hold(snapshot.into()),
            Ok(Step::Spoiled { reason, .. }) => return unless_held(&assembly, reason),
            Ok(Step::Hello(_) | Step::Report(_)) => return unless_held(&assembly, "a message in a file".to_owned()),
            Err(error) => return unless_held(&assembly, error.to_string()),
        }
    }
    Ok(assembly.held().map(|held| Snapshot::clone(held)))
}

/// What is damaged hides what comes after it, not what came before.
fn unless_held(assembly: &Assembly, reason: String) -> Result<Option<Snapshot>, String> {
    match assembly.held() {
        Some(held) => {
            tracing::warn!(id = %held.id, "what was kept is damaged, what came before the damage is used: {reason}");
            Ok(Some(Snapshot::clone(held)))
        }
        None => Err(reason),
    }
}

/// The first frame, without its length, and what comes after it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    rest.split_at_checked(payload_length(*header, MAX_FRAME).ok()?)
}
