//! The bytes of a frame: numbers of four bytes, the highest first, and what they count.

use serde::{Serialize, de::DeserializeOwned};

use super::{FrameError, HEADER, MAX_FRAME};
use crate::CertId;

/// Writes one frame to the end of a buffer.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    failed: Option<FrameError>,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend([0; HEADER]);
        Self { out, start, failed: None }
    }

    pub(super) fn kind(&mut self, kind: u8) -> &mut Self {
        self.byte(kind)
    }

    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.out.push(byte);
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.out.extend_from_slice(bytes);
        self
    }

    /// Without empty items: they hold no certificate, and nobody takes them.
    pub(super) fn list(&mut self, items: &[Vec<u8>]) -> &mut Self {
        let items = || items.iter().filter(|item| !item.is_empty());
        self.count(items().count());
        items().fold(self, |body, item| body.bytes(item))
    }

    /// To the end of the frame.
    pub(super) fn json(&mut self, value: &impl Serialize) -> &mut Self {
        if let Err(error) = serde_json::to_writer(&mut *self.out, value) {
            self.failed.get_or_insert(FrameError::value("value", error));
        }
        self
    }

    /// Completes the frame, or takes it back.
    pub(super) fn end(&mut self) -> Result<(), FrameError> {
        let length = self.out.len().saturating_sub(self.start).saturating_sub(HEADER);
        let too_long = || FrameError::TooLong { length, limit: MAX_FRAME };
        let failed = self.failed.take().or_else(|| (length > MAX_FRAME).then(too_long));
        if let Some(error) = failed {
            self.out.truncate(self.start);
            return Err(error);
        }
        let header = u32::try_from(length).map_err(|_| too_long())?.to_be_bytes();
        if let Some(place) = self.out.get_mut(self.start..self.start.saturating_add(HEADER)) {
            place.copy_from_slice(&header);
        }
        Ok(())
    }

    fn count(&mut self, count: usize) {
        match u32::try_from(count) {
            Ok(count) => self.out.extend(count.to_be_bytes()),
            Err(_) => drop(self.failed.get_or_insert(FrameError::TooLong { length: count, limit: MAX_FRAME })),
        }
    }
}

/// Reads one frame.
pub(super) struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { left: body }
    }

    pub(super) fn byte(&mut self) -> Result<u8, FrameError> {
        self.take(1)?.first().copied().ok_or(FrameError::Cut)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], FrameError> {
        let count = self.count()?;
        self.take(count)
    }

    /// None is empty, so that items take no more memory than bytes that came, and a wrong count allocates nothing.
    pub(super) fn list(&mut self) -> Result<Vec<Vec<u8>>, FrameError> {
        let count = self.count()?;
        (0..count).map(|_| self.item().map(<[u8]>::to_vec)).collect()
    }

    fn item(&mut self) -> Result<&'a [u8], FrameError> {
        let bytes = self.bytes()?;
        if bytes.is_empty() { Err(FrameError::value("list", "an empty item")) } else { Ok(bytes) }
    }

    pub(super) fn id(&mut self) -> Result<CertId, FrameError> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|error| FrameError::value("name", error))?;
        Ok(text.into())
    }

    /// To the end of the frame.
    pub(super) fn json<T: DeserializeOwned>(&mut self, what: &'static str) -> Result<T, FrameError> {
        let text = std::mem::take(&mut self.left);
        serde_json::from_slice(text).map_err(|error| FrameError::value(what, error))
    }

    pub(super) fn end(&self) -> Result<(), FrameError> {
        if self.left.is_empty() { Ok(()) } else { Err(FrameError::Cut) }
    }

    fn count(&mut self) -> Result<usize, FrameError> {
        let bytes = self.take(4)?.try_into().map_err(|_| FrameError::Cut)?;
        usize::try_from(u32::from_be_bytes(bytes)).map_err(|_| FrameError::Cut)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], FrameError> {
        let (taken, left) = self.left.split_at_checked(count).ok_or(FrameError::Cut)?;
        self.left = left;
        Ok(taken)
    }
}
