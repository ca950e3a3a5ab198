//! What clients of HTTP/2 send, frame by frame: errors that h2 answers with another code than RFC 9113 has for them. It
//! looks at the heads of frames while they pass, and at settings; it copies nothing else and reads nothing by itself.

use h2::Reason;

/// Bytes of a frame's head (RFC 9113 section 4.1).
const HEAD: usize = 9;

/// Bytes of one setting (RFC 9113 section 6.5.1).
const SETTING: usize = 6;

const INITIAL_WINDOW_SIZE: u16 = 4;

/// RFC 9113 section 6.5.2.
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// How many streams are followed: several times what a client may have open. With more, no stream is judged.
const FOLLOWED: usize = 1024;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Where a connection's bytes are.
#[derive(Debug)]
pub struct Frames {
    /// Bytes until the next frame, or setting, that is to be looked at.
    skip: usize,
    /// Bytes of settings after that.
    settings: usize,
    /// A head, or a setting, that came in part.
    held: [u8; HEAD],
    held_length: usize,
    /// The fields of a stream are not complete: only their continuation may come now, and h2 sees to that.
    in_fields: bool,
    streams: Streams,
}

/// The streams whose client may still send on them.
#[derive(Debug)]
struct Streams {
    open: Vec<u32>,
    highest: u32,
    /// Each stream had the number after the one before, and all fitted: one that is not open was closed by its client.
    certain: bool,
}

impl Frames {
    /// Begins after `preface` bytes.
    pub fn after(preface: usize) -> Self {
        let streams = Streams { open: Vec::new(), highest: 0, certain: true };
        Self { skip: preface, settings: 0, held: [0; HEAD], held_length: 0, in_fields: false, streams }
    }

    /// Looks at the next bytes.
    ///
    /// # Errors
    /// The connection is to end for this reason (RFC 9113 section 5.4.1).
    pub fn pass(&mut self, mut bytes: &[u8]) -> Result<(), Reason> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let (passed, rest) = bytes.split_at(self.skip.min(bytes.len()));
                self.skip = self.skip.saturating_sub(passed.len());
                bytes = rest;
                continue;
            }
            let wanted = if self.settings > 0 { SETTING } else { HEAD };
            let Some(room) = self.held.get_mut(self.held_length..wanted) else { return Err(Reason::INTERNAL_ERROR) };
            let (taken, rest) = bytes.split_at(room.len().min(bytes.len()));
            if let Some(place) = room.get_mut(..taken.len()) {
                place.copy_from_slice(taken);
            }
            self.held_length = self.held_length.saturating_add(taken.len());
            bytes = rest;
            if self.held_length == wanted {
                self.held_length = 0;
                if wanted == SETTING { self.setting()? } else { self.head()? }
            }
        }
        Ok(())
    }

    fn head(&mut self) -> Result<(), Reason> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = self.held;
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        let is_ack = flags & ACK != 0;
        let fits = match kind {
            kind::PRIORITY => length == 5,
            kind::RST_STREAM | kind::WINDOW_UPDATE => length == 4,
            kind::PING => length == 8,
            kind::SETTINGS if is_ack => length == 0,
            kind::SETTINGS => length.is_multiple_of(6),
            _ => true,
        };
        if !fits {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        if kind == kind::PUSH_PROMISE {
            // Only servers push (RFC 9113 section 8.4).
            return Err(Reason::PROTOCOL_ERROR);
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if kind == kind::SETTINGS {
            self.settings = length;
        } else {
            self.skip = length;
        }
        let waits = std::mem::replace(&mut self.in_fields, opens_fields(kind, flags));
        if waits { Ok(()) } else { self.streams.frame(kind, flags & END_STREAM != 0, stream) }
    }

    fn setting(&mut self) -> Result<(), Reason> {
        self.settings = self.settings.saturating_sub(SETTING);
        let [i0, i1, v0, v1, v2, v3, ..] = self.held;
        let too_large = u32::from_be_bytes([v0, v1, v2, v3]) > MAX_WINDOW;
        if u16::from_be_bytes([i0, i1]) == INITIAL_WINDOW_SIZE && too_large {
            return Err(Reason::FLOW_CONTROL_ERROR);
        }
        Ok(())
    }
}

/// Whether a frame leaves the fields of its stream incomplete.
fn opens_fields(kind: u8, flags: u8) -> bool {
    matches!(kind, kind::HEADERS | kind::CONTINUATION) && flags & END_HEADERS == 0
}

impl Streams {
    /// Only a client that ended a stream itself is told so: those that we reset stay open here, since their client may not
    /// know it yet.
    fn frame(&mut self, kind: u8, ends: bool, stream: u32) -> Result<(), Reason> {
        match kind {
            kind::HEADERS if stream > self.highest => self.open(stream, ends),
            kind::HEADERS | kind::DATA if self.is_closed(stream) => return Err(Reason::STREAM_CLOSED),
            kind::HEADERS | kind::DATA if ends => self.close(stream),
            kind::RST_STREAM => self.close(stream),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, stream: u32, ends: bool) {
        let next = if self.highest == 0 { 1 } else { self.highest.saturating_add(2) };
        self.certain &= stream == next && (ends || self.open.len() < FOLLOWED);
        self.highest = stream;
        if !ends && self.certain {
            self.open.push(stream);
        }
    }

    fn is_closed(&self, stream: u32) -> bool {
        self.certain && stream % 2 == 1 && stream <= self.highest && !self.open.contains(&stream)
    }

    fn close(&mut self, stream: u32) {
        if let Some(place) = self.open.iter().position(|open| *open == stream) {
            self.open.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// However the bytes are cut.
    fn judge(frames: &[Vec<u8>]) -> Result<(), Reason> {
        let bytes = [&b"preface"[..], &frames.concat()].concat();
        let whole = Frames::after(7).pass(&bytes);
        for size in [1, 2, 5, 9, 10] {
            let mut cut = Frames::after(7);
            assert_eq!(bytes.chunks(size).try_for_each(|part| cut.pass(part)), whole, "{size}");
        }
        whole
    }

    #[test]
    fn sizes_are_what_the_kind_has() {
        for (kind, flags, right) in [(2, 0, 5), (3, 0, 4), (4, 1, 0), (4, 0, 12), (6, 0, 8), (8, 0, 4)] {
            assert_eq!(judge(&[frame(kind, flags, 1, &vec![0; right])]), Ok(()), "{kind}");
            assert_eq!(judge(&[frame(kind, flags, 1, &vec![0; right + 1])]), Err(Reason::FRAME_SIZE_ERROR), "{kind}");
        }
        assert_eq!(judge(&[frame(0, 0, 1, &[0; 77]), frame(77, 0, 1, &[0; 3])]), Ok(()));
    }

    #[test]
    fn clients_do_not_push() {
        assert_eq!(judge(&[frame(5, 4, 1, &[0; 4])]), Err(Reason::PROTOCOL_ERROR));
    }

    #[test]
    fn windows_are_bounded() {
        let largest = [0, 3, 0xff, 0xff, 0xff, 0xff, 0, 4, 0x7f, 0xff, 0xff, 0xff];
        assert_eq!(judge(&[frame(4, 0, 0, &largest), frame(6, 0, 0, &[0; 8])]), Ok(()));
        assert_eq!(judge(&[frame(4, 0, 0, &[0, 4, 0x80, 0, 0, 0])]), Err(Reason::FLOW_CONTROL_ERROR));
    }

    #[test]
    fn a_stream_has_one_end() {
        let post = |stream| frame(1, 4, stream, b"x");
        let get = |stream| frame(1, 5, stream, b"x");
        let closed = Err(Reason::STREAM_CLOSED);
        assert_eq!(judge(&[get(1), get(3), get(5)]), Ok(()));
        assert_eq!(judge(&[get(1), get(1)]), closed);
        // Trailers.
        assert_eq!(judge(&[post(1), get(3), frame(0, 0, 1, b"x"), get(1)]), Ok(()));
        assert_eq!(judge(&[post(1), frame(0, 1, 1, b"x"), get(1)]), closed);
        assert_eq!(judge(&[post(1), frame(3, 0, 1, &[0; 4]), get(1)]), closed);
        assert_eq!(judge(&[get(1), frame(0, 0, 1, b"x")]), closed);
        // The fields of the first are not complete.
        assert_eq!(judge(&[frame(1, 1, 1, b"x"), frame(0, 0, 1, b"x")]), Ok(()));
        assert_eq!(judge(&[frame(1, 1, 1, b"x"), frame(9, 4, 1, b"x"), frame(0, 0, 1, b"x")]), closed);
        // Never opened: h2 knows better.
        assert_eq!(judge(&[get(5), get(3)]), Ok(()));
        assert_eq!(judge(&[get(2), get(2)]), Ok(()));
    }

    #[test]
    fn no_stream_is_judged_where_there_are_too_many() {
        let mut many: Vec<Vec<u8>> = (0..=1024).map(|n| frame(1, 4, 2 * n + 1, b"")).collect();
        many.extend([frame(0, 1, 1, b""), frame(1, 5, 1, b"")]);
        assert_eq!(judge(&many), Ok(()));
        many.remove(1024);
        assert_eq!(judge(&many), Err(Reason::STREAM_CLOSED));
    }
}
