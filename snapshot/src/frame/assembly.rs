//! From frames to a snapshot.

use std::{collections::BTreeMap, sync::Arc};

use super::{Begin, Frame, FrameError, Hello, Piece, material::Bundles, piece};
use crate::{Cert, CertId, Report, Snapshot, SnapshotId};

/// Puts pushes together. What is held changes only by [`Assembly::hold`]: a push that breaks off leaves nothing behind.
#[derive(Default)]
pub struct Assembly {
    held: Option<Arc<Snapshot>>,
    /// What the other end was told is held. See [`Assembly::tell`].
    told: Option<Arc<Snapshot>>,
    bundles: Bundles,
    draft: Option<Draft>,
}

/// A push that has begun.
struct Draft {
    snapshot: Snapshot,
    chains: BTreeMap<CertId, Vec<Vec<u8>>>,
    /// Why it will not be taken.
    spoiled: Option<String>,
}

/// What came of a frame.
pub enum Step {
    /// The push goes on.
    More,
    /// The push is complete.
    Complete(Snapshot),
    /// The push has ended, and something in it could not be read.
    Spoiled {
        /// Which one.
        id: SnapshotId,
        /// Why.
        reason: String,
    },
    /// A message that is no part of a push.
    Hello(Hello),
    /// A message that is no part of a push.
    Report(Report),
}

/// A frame where it cannot stand: nothing after it can be relied upon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfOrder {
    /// No frame, and not inside of a push either.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It belongs into a push, and there is none.
    #[error("a part of a push, and no push has begun")]
    OutsidePush,
    /// A second push before the first has ended.
    #[error("a push inside of a push")]
    InsidePush,
    /// A difference to something that is not there.
    #[error("a difference to a snapshot that is not held")]
    UnknownBase,
}

impl Assembly {
    /// What differences may be said to.
    pub fn held(&self) -> Option<&Arc<Snapshot>> {
        self.held.as_ref()
    }

    /// From now on differences are said to this one.
    pub fn hold(&mut self, snapshot: Arc<Snapshot>) {
        self.held = Some(snapshot);
        self.bundles.sweep();
    }

    /// Returns what is held, for the other end to be told. Until it has made a push of it, a difference to this one is taken
    /// as well: by the time when it comes, another one may be held.
    pub fn tell(&mut self) -> Option<SnapshotId> {
        self.told.clone_from(&self.held);
        self.told.as_ref().map(|told| told.id)
    }

    /// Whether a push has begun and not ended.
    pub fn is_inside_push(&self) -> bool {
        self.draft.is_some()
    }

    /// Forgets a push that has broken off.
    pub fn abandon(&mut self) {
        self.draft = None;
        self.bundles.sweep();
    }

    /// Takes the next frame in.
    ///
    /// # Errors
    /// It cannot stand here; the connection, or the rest of the file, is of no use.
    pub fn take(&mut self, frame: Result<Frame, FrameError>) -> Result<Step, OutOfOrder> {
        let frame = match (frame, &mut self.draft) {
            (Ok(frame), _) => frame,
            (Err(error), Some(draft)) if error.spoils_the_push_only() => {
                draft.spoil(error.to_string());
                return Ok(Step::More);
            }
            (Err(error), _) => return Err(error.into()),
        };
        match frame {
            Frame::Hello(hello) => return Ok(Step::Hello(hello)),
            Frame::Report(report) => return Ok(Step::Report(report)),
            Frame::Begin(begin) => self.begin(&begin)?,
            Frame::Commit => return self.commit(),
            Frame::Chain(id, chain) => drop(self.draft()?.chains.insert(id, chain)),
            Frame::Ca(ca) => {
                self.draft()?;
                self.bundles.put_ca(ca);
            }
            Frame::Anchors(anchors) => {
                self.draft()?;
                self.bundles.put_anchors(anchors);
            }
            Frame::Put(piece) => self.put(piece)?,
            Frame::Key(id, key) => {
                let held = self.held.clone();
                let keys = &mut self.draft()?.snapshot.keys;
                piece::put(keys, held.as_ref().map(|held| &held.keys), id, key);
            }
            Frame::TicketKey(key) => self.draft()?.snapshot.ticket_key = Some(key),
            Frame::Remove(id) => id.remove_from(&mut self.draft()?.snapshot),
        }
        Ok(Step::More)
    }

    fn begin(&mut self, Begin { base, id }: &Begin) -> Result<(), OutOfOrder> {
        if self.draft.is_some() {
            return Err(OutOfOrder::InsidePush);
        }
        let known = |base| [&self.held, &self.told].into_iter().flatten().find(|known| known.id == base);
        let mut snapshot = match base {
            None => Snapshot::default(),
            Some(base) => known(*base).map(|known| Snapshot::clone(known)).ok_or(OutOfOrder::UnknownBase)?,
        };
        snapshot.id = *id;
        self.draft = Some(Draft { snapshot, chains: BTreeMap::new(), spoiled: None });
        Ok(())
    }

    fn draft(&mut self) -> Result<&mut Draft, OutOfOrder> {
        self.draft.as_mut().ok_or(OutOfOrder::OutsidePush)
    }

    fn put(&mut self, mut piece: Piece) -> Result<(), OutOfOrder> {
        let draft = self.draft.as_mut().ok_or(OutOfOrder::OutsidePush)?;
        if let Err(origin) = self.bundles.complete(&mut piece) {
            draft.spoil(format!("the certificates of {origin} did not come"));
        }
        if let Piece::Cert(id, cert) = &mut piece {
            match draft.chains.remove(id) {
                Some(chain) => *cert = Arc::new(Cert { chain, ..Cert::clone(cert) }),
                None => draft.spoil(format!("the chain of certificate {id} did not come")),
            }
        }
        piece.put_into(&mut draft.snapshot, self.held.as_deref());
        Ok(())
    }

    fn commit(&mut self) -> Result<Step, OutOfOrder> {
        let Draft { snapshot, chains: _, spoiled } = self.draft.take().ok_or(OutOfOrder::OutsidePush)?;
        self.told = None;
        Ok(match spoiled {
            None => Step::Complete(snapshot),
            Some(reason) => Step::Spoiled { id: snapshot.id, reason },
        })
    }
}

impl Draft {
    /// The first reason is the one that counts: the rest may follow from it.
    fn spoil(&mut self, reason: String) {
        self.spoiled.get_or_insert(reason);
    }
}
