//! What the consumer group says: our own mirrored position, or somebody else's hand.

use uuid::Uuid;

use crate::position::Position;

/// First field of our metadata; another version is not somebody else's hand.
const VERSION: &str = "sq1";

/// What the group holds for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The committed offset: the next one to read.
    pub position: Position,
    /// Its metadata; an operator's tool leaves it empty.
    pub metadata: String,
}

/// What was stored when the group was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours {
    /// Name of this store.
    pub incarnation: Uuid,
    /// Number of the last position that was to be mirrored; zero before the first.
    pub seq: u64,
    /// Whether the group was once seen to carry our signature.
    pub signed: bool,
    /// Next offset to read.
    pub position: Position,
    /// The reset that was decided on and not yet signed over.
    pub settled: Option<i64>,
}

/// Whose hand the group shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Our own signature.
    Ours,
    /// Nothing, or nothing that matters: mirror again.
    Unsigned,
    /// An operator set the offset back to, or left it at, what is applied: rebuild.
    Reset,
    /// An operator set the offset forward: it would skip records.
    Forward,
    /// Another store signs in this group, or a copy of ours.
    Stranger,
}

/// Says whose hand a committed offset shows.
#[must_use]
pub fn judge(committed: Option<&Committed>, ours: &Ours) -> Verdict {
    let Some(committed) = committed else { return Verdict::Unsigned };
    match signature(&committed.metadata) {
        Some(Signature::Known { incarnation, seq, position }) if position == committed.position.get() => {
            match incarnation == ours.incarnation && seq <= ours.seq {
                true => Verdict::Ours,
                false => Verdict::Stranger,
            }
        }
        Some(Signature::Other) => Verdict::Stranger,
        // A group this store never signed belonged to somebody before; that is no word to us.
        _ if !ours.signed || ours.settled == Some(committed.position.get()) => Verdict::Unsigned,
        _ if committed.position <= ours.position => Verdict::Reset,
        _ => Verdict::Forward,
    }
}

/// Returns the metadata that says a position is ours.
#[must_use]
pub fn sign(incarnation: Uuid, seq: u64, position: Position) -> String {
    format!("{VERSION};{incarnation};{seq};{position}")
}

enum Signature {
    Known {
        incarnation: Uuid,
        seq: u64,
        position: i64,
    },
    /// Of another version of this service.
    Other,
}

fn signature(metadata: &str) -> Option<Signature> {
    let mut fields = metadata.split(';');
    let version = fields.next().filter(|version| version.starts_with("sq"))?;
    if version != VERSION {
        return Some(Signature::Other);
    }
    let incarnation = fields.next()?.parse().ok()?;
    let seq = fields.next()?.parse().ok()?;
    let position = fields.next()?.parse().ok()?;
    Some(Signature::Known { incarnation, seq, position })
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Uuid = Uuid::from_u128(1);
    const THEM: Uuid = Uuid::from_u128(2);

    fn ours() -> Ours {
        Ours { incarnation: US, seq: 7, signed: true, position: Position::new(50), settled: None }
    }

    fn judged(position: i64, metadata: &str, ours: &Ours) -> Verdict {
        let position = Position::new(position);
        judge(Some(&Committed { position, metadata: metadata.to_owned() }), ours)
    }

    #[test]
    fn every_hand_is_told_from_every_other() {
        let signed = |who, seq, position| sign(who, seq, Position::new(position));
        let rows = [
            (40, signed(US, 7, 40), Verdict::Ours),
            (40, signed(US, 6, 40), Verdict::Ours),
            (40, signed(US, 8, 40), Verdict::Stranger),
            (40, signed(THEM, 3, 40), Verdict::Stranger),
            (40, "sq2;whatever".to_owned(), Verdict::Stranger),
            (0, String::new(), Verdict::Reset),
            (50, String::new(), Verdict::Reset),
            (51, String::new(), Verdict::Forward),
            (40, "somebody's note".to_owned(), Verdict::Reset),
            (40, "sq1;garbled".to_owned(), Verdict::Reset),
            // A tool that keeps the metadata of what it overwrites does not pass for us.
            (10, signed(US, 7, 40), Verdict::Reset),
        ];
        for (position, metadata, verdict) in rows {
            assert_eq!(judged(position, &metadata, &ours()), verdict, "{position} {metadata}");
        }
        assert_eq!(judge(None, &ours()), Verdict::Unsigned);
    }

    #[test]
    fn a_group_we_never_signed_tells_us_nothing() {
        // The first commit may have been numbered and never have arrived.
        for seq in [0, 1] {
            assert_eq!(judged(0, "", &Ours { seq, signed: false, ..ours() }), Verdict::Unsigned);
        }
    }

    #[test]
    fn a_reset_that_was_decided_on_is_not_obeyed_twice() {
        let settled = Ours { settled: Some(0), ..ours() };
        assert_eq!(judged(0, "", &settled), Verdict::Unsigned);
        assert_eq!(judged(5, "", &settled), Verdict::Reset);
    }
}
