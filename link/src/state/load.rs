//! From the file to a snapshot.

use std::{fmt, fs, io, path::Path};

use snapshot::{
    Snapshot,
    frame::{Assembly, Frame, FrameError, HEADER, MAX_FRAME, Step, payload_length},
};

/// What was committed last.
pub(super) struct Kept {
    pub(super) snapshot: Snapshot,
    /// What hides whatever came after it.
    pub(super) damage: Option<Damage>,
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// It ends inside of something: so it is where its process was killed while it wrote.
    Cut,
    /// Something else stands there than was written.
    Broken(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("it was cut off, as by the end of who wrote it"),
            Self::Broken(reason) => f.write_str(reason),
        }
    }
}

/// None where nothing was kept.
///
/// # Errors
/// What is there cannot be used, and why.
pub(super) fn load(file: &Path) -> Result<Option<Kept>, String> {
    match fs::read(file) {
        Ok(bytes) => read(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn read(bytes: &[u8]) -> Result<Kept, String> {
    let (frame, mut left) = split(bytes).map_err(|damage| format!("it is no such file: {damage}"))?;
    match Frame::decode(frame) {
        Ok(Frame::Hello(hello)) => hello.mismatch("the file").map_or(Ok(()), Err)?,
        Ok(_) => return Err("it does not say which build it is of".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    let mut assembly = Assembly::default();
    let mut damage: Option<Damage> = None;
    while !left.is_empty() && damage.is_none() {
        match next(left, &mut assembly) {
            Ok(rest) => left = rest,
            Err(found) => damage = Some(found),
        }
    }
    let is_cut = damage.is_none() && assembly.is_inside_push();
    let damage = damage.or(is_cut.then_some(Damage::Cut));
    // Damage hides what comes after it, not what came before.
    match (assembly.held(), damage) {
        (Some(held), damage) => Ok(Kept { snapshot: Snapshot::clone(held), damage }),
        (None, Some(damage)) => Err(damage.to_string()),
        (None, None) => Err(Damage::Cut.to_string()),
    }
}

/// Takes the first frame in, and returns what comes after it.
fn next<'a>(bytes: &'a [u8], assembly: &mut Assembly) -> Result<&'a [u8], Damage> {
    let (frame, rest) = split(bytes)?;
    match assembly.take(Frame::decode(frame)) {
        Ok(Step::More) => {}
        Ok(Step::Complete(snapshot)) => assembly.hold(snapshot.into()),
        Ok(Step::Spoiled { reason, .. }) => return Err(Damage::Broken(reason)),
        Ok(Step::Hello(_) | Step::Report(_)) => return Err(Damage::Broken("a message in a file".to_owned())),
        Err(error) => return Err(Damage::Broken(error.to_string())),
    }
    Ok(rest)
}

/// The first frame, without its length, and what comes after it.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Damage> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Damage::Cut)?;
    let length = payload_length(*header, MAX_FRAME).map_err(|error: FrameError| Damage::Broken(error.to_string()))?;
    rest.split_at_checked(length).ok_or(Damage::Cut)
}
