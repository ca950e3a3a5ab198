//! The messages by which a snapshot travels between two processes, and by which it is kept in a file.
//!
//! A frame is its length (four bytes, the highest first), one byte for its kind, and its body. What is a value of the
//! contract is JSON, in the form of the page `/snapshot`; what that page leaves out (certificates in DER, private keys)
//! has kinds of its own, whose bodies are written by hand. So no type that can be printed ever holds a key.
//!
//! ```text
//! both      Hello                                   what is spoken; which snapshot is held
//! down      Begin (Chain|Ca|Anchors|Put|Key|TicketKey|Remove)* Commit
//! up        Report                                  the fate of a snapshot
//! ```
//!
//! A push without a base replaces everything. One with a base says what differs from it, and is sent only to who holds
//! that base. Nothing takes effect before `Commit`.

mod assembly;
mod body;
mod error;
mod material;
mod piece;
mod push;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use assembly::{Assembly, OutOfOrder, Step};
use body::{Reader, Writer};
pub use error::FrameError;
pub use piece::{Globals, Piece, PieceId};
pub use push::push;

use crate::{CaBundle, CertId, KeyFormat, PrivateKey, Report, SnapshotId, TicketKey, TrustAnchors};

/// How frames are laid out. Raised where that changes; `Hello` stays readable for ever.
pub const PROTOCOL: u32 = 1;

/// The digest of the types that frames carry: both ends must have the same one.
pub const SCHEMA: u64 = include!(concat!(env!("OUT_DIR"), "/schema.rs"));

/// The longest frame, in bytes: the routes of one host, or the list of all hosts, must fit in.
pub const MAX_FRAME: usize = 64 << 20;

/// The longest `Hello`, in bytes. One takes a hundred; the rest is for what later versions may have to say.
pub const MAX_HELLO: usize = 4 << 10;

/// How many bytes say how long a frame is.
pub const HEADER: usize = 4;

/// The first message, both ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// See [`PROTOCOL`].
    pub protocol: u32,
    /// See [`SCHEMA`].
    pub schema: u64,
    /// The snapshot that the data plane holds.
    #[serde(default)]
    pub held: Option<SnapshotId>,
}

/// A push begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The snapshot that it says the difference to; none: it says everything.
    pub base: Option<SnapshotId>,
    /// The snapshot that it makes.
    pub id: SnapshotId,
}

/// One message. Without `Debug`, because some hold keys.
#[derive(Clone, PartialEq)]
pub enum Frame {
    /// What is spoken.
    Hello(Hello),
    /// A push begins.
    Begin(Begin),
    /// The chain of a certificate in DER. It comes before its piece.
    Chain(CertId, Vec<Vec<u8>>),
    /// Who vouches for clients. It comes before the first piece that names it.
    Ca(Arc<CaBundle>),
    /// Who vouches for backends. It comes before the first piece that names it.
    Anchors(Arc<TrustAnchors>),
    /// A piece is new, or another one than before.
    Put(Piece),
    /// A private key.
    Key(CertId, Arc<PrivateKey>),
    /// What the keys of session tickets come from.
    TicketKey(TicketKey),
    /// A piece is gone.
    Remove(PieceId),
    /// The push is complete.
    Commit,
    /// The fate of a snapshot.
    Report(Report),
}

impl Hello {
    /// What this build speaks.
    pub fn ours(held: Option<SnapshotId>) -> Self {
        Self { protocol: PROTOCOL, schema: SCHEMA, held }
    }

    /// Why the two ends cannot understand each other, if so, as `peer` (a noun with its article) is told.
    pub fn mismatch(&self, peer: &str) -> Option<String> {
        let Self { protocol, schema, held: _ } = self;
        if *protocol != PROTOCOL {
            return Some(format!("{peer} speaks version {protocol} of the protocol, this build version {PROTOCOL}"));
        }
        let differs = *schema != SCHEMA;
        differs.then(|| {
            format!("{peer} is of another version: its schema is {schema:016x}, that of this build {SCHEMA:016x}")
        })
    }
}

/// The first byte of a frame. `Hello` keeps its number for ever.
mod kind {
    pub(super) const HELLO: u8 = 0;
    pub(super) const BEGIN: u8 = 1;
    pub(super) const CHAIN: u8 = 2;
    pub(super) const CA: u8 = 3;
    pub(super) const ANCHORS: u8 = 4;
    pub(super) const PUT: u8 = 5;
    pub(super) const KEY: u8 = 6;
    pub(super) const TICKET_KEY: u8 = 7;
    pub(super) const REMOVE: u8 = 8;
    pub(super) const COMMIT: u8 = 9;
    pub(super) const REPORT: u8 = 10;
}

impl Frame {
    /// Appends the frame, its length included.
    ///
    /// # Errors
    /// It is longer than [`MAX_FRAME`]; nothing is appended then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let mut body = Writer::begin(out);
        match self {
            Self::Hello(hello) => body.kind(kind::HELLO).json(hello),
            Self::Begin(begin) => body.kind(kind::BEGIN).json(begin),
            Self::Chain(id, chain) => body.kind(kind::CHAIN).bytes(id.as_str().as_bytes()).list(chain),
            Self::Ca(ca) => {
                body.kind(kind::CA).list(&ca.certs).list(&ca.crls);
                body.json(&**ca)
            }
            Self::Anchors(anchors) => {
                body.kind(kind::ANCHORS).list(&anchors.certificates);
                body.json(&**anchors)
            }
            Self::Put(piece) => body.kind(kind::PUT).json(piece),
            Self::Key(id, key) => {
                body.kind(kind::KEY).bytes(id.as_str().as_bytes());
                body.byte(format_byte(key.format())).bytes(key.secret_der())
            }
            Self::TicketKey(key) => body.kind(kind::TICKET_KEY).bytes(key.secret()),
            Self::Remove(id) => body.kind(kind::REMOVE).json(id),
            Self::Commit => body.kind(kind::COMMIT),
            Self::Report(report) => body.kind(kind::REPORT).json(report),
        };
        body.end()
    }

    /// Reads a frame without its length.
    ///
    /// # Errors
    /// It is none, or one that another version speaks. Whatever comes in, this does not panic.
    pub fn decode(payload: &[u8]) -> Result<Self, FrameError> {
        let (kind, body) = payload.split_first().ok_or(FrameError::Empty)?;
        let mut body = Reader::new(body);
        let frame = match *kind {
            kind::HELLO => Self::Hello(body.json("hello")?),
            kind::BEGIN => Self::Begin(body.json("begin")?),
            kind::CHAIN => Self::Chain(body.id()?, body.list()?),
            kind::CA => {
                let (certs, crls) = (body.list()?, body.list()?);
                Self::Ca(Arc::new(CaBundle { certs, crls, ..body.json("CA")? }))
            }
            kind::ANCHORS => {
                let certificates = body.list()?;
                Self::Anchors(Arc::new(TrustAnchors { certificates, ..body.json("anchors")? }))
            }
            kind::PUT => Self::Put(body.json("piece")?),
            kind::KEY => {
                let (id, format) = (body.id()?, key_format(body.byte()?)?);
                Self::Key(id, Arc::new(PrivateKey::new(format, body.bytes()?)))
            }
            kind::TICKET_KEY => Self::TicketKey(TicketKey::new(body.bytes()?)),
            kind::REMOVE => Self::Remove(body.json("name")?),
            kind::COMMIT => Self::Commit,
            kind::REPORT => Self::Report(body.json("report")?),
            unknown => return Err(FrameError::UnknownKind(unknown)),
        };
        body.end()?;
        Ok(frame)
    }

    /// Reads a frame without its length that a data plane sends. What only a controller does is not looked into: nobody who
    /// faces the network has it build certificates and routes.
    ///
    /// # Errors
    /// It is none of them.
    pub fn decode_upward(payload: &[u8]) -> Result<Self, FrameError> {
        match payload.first() {
            Some(&kind) if !matches!(kind, kind::HELLO | kind::REPORT) => Err(FrameError::Downward(kind)),
            _ => Self::decode(payload),
        }
    }
}

/// The length of the frame that begins with `header`, checked before anything is allocated for it.
///
/// # Errors
/// It is longer than `limit` bytes, or empty.
pub fn payload_length(header: [u8; HEADER], limit: usize) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    match length {
        0 => Err(FrameError::Empty),
        length if length > limit => Err(FrameError::TooLong { length, limit }),
        length => Ok(length),
    }
}

fn format_byte(format: KeyFormat) -> u8 {
    match format {
        KeyFormat::Pkcs1 => 1,
        KeyFormat::Pkcs8 => 8,
        KeyFormat::Sec1 => 2,
    }
}

fn key_format(byte: u8) -> Result<KeyFormat, FrameError> {
    match byte {
        1 => Ok(KeyFormat::Pkcs1),
        8 => Ok(KeyFormat::Pkcs8),
        2 => Ok(KeyFormat::Sec1),
        other => Err(FrameError::value("key", format!("there is no format {other}"))),
    }
}
