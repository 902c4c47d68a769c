//! How an entry is laid out in the store: `[0x01][slot u32 BE][key]` -> `[header][value]`.
//!
//! The header is a byte of version (high half) and flags (low half), the offset as a varint, the timestamp
//! as a zigzag varint if there is one, and the record headers if they were kept. The value follows byte
//! for byte as it was produced. Version 2 has a byte of further flags after the first one, and is written only
//! where one of them is set.

use crate::position::Offset;
use crate::record::{Header, Headers, Timestamp, TimestampKind};
use crate::time::Millis;

/// First byte of the key space of entries.
pub const ENTRY_SPACE: u8 = 0x01;
/// Bytes before the user's key in a storage key.
pub const KEY_PREFIX_BYTES: usize = 5;

const VERSION: u8 = 1;
/// Has a byte of further flags; versions of this service that do not know them refuse the entry.
const VERSION_FLAGGED: u8 = 2;
const HAS_TIMESTAMP: u8 = 0b0001;
const LOG_APPEND: u8 = 0b0010;
const HAS_HEADERS: u8 = 0b0100;
const MARKER: u8 = 0b1000;
/// Further flag: the value was not kept; its length stands in its place, as a varint.
const TOO_LARGE: u8 = 0b0001;

/// Number of one build of one partition in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SlotNumber(pub u32);

/// What the header of a stored entry says, and where its value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryHeader {
    /// Offset of the record that set the value.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// The row has no value and is invisible to reads.
    pub marker: bool,
    /// Bytes of a value that was not kept, because the view bounds values; none of one that was.
    pub too_large: Option<u64>,
    headers: (usize, usize),
    value: usize,
}

/// The bytes are no entry this version can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Version or flags of a later format.
    #[error("the entry has a format this version does not know")]
    Unknown,
    /// The bytes end inside the header or hold an impossible number.
    #[error("the entry is cut off or garbled")]
    Garbled,
}

/// Appends the storage key of `key` in `slot`.
pub fn push_key(out: &mut Vec<u8>, slot: SlotNumber, key: &[u8]) {
    out.push(ENTRY_SPACE);
    out.extend_from_slice(&slot.0.to_be_bytes());
    out.extend_from_slice(key);
}

/// Returns slot and user's key of a storage key; none of one from another key space.
#[must_use]
pub fn split_key(storage_key: &[u8]) -> Option<(SlotNumber, &[u8])> {
    let (slot, key) = storage_key.strip_prefix(&[ENTRY_SPACE])?.split_first_chunk()?;
    Some((SlotNumber(u32::from_be_bytes(*slot)), key))
}

/// Returns the range of storage keys of `slot`: start inclusive, end exclusive.
#[must_use]
pub fn slot_range(slot: SlotNumber) -> (Vec<u8>, Vec<u8>) {
    let mut start = Vec::with_capacity(KEY_PREFIX_BYTES);
    push_key(&mut start, slot, &[]);
    let mut end = Vec::with_capacity(KEY_PREFIX_BYTES);
    match slot.0.checked_add(1) {
        Some(next) => push_key(&mut end, SlotNumber(next), &[]),
        None => end.push(ENTRY_SPACE + 1),
    }
    (start, end)
}

/// Appends the stored form of an entry: header and value.
pub fn push_entry(
    out: &mut Vec<u8>,
    offset: Offset,
    timestamp: Timestamp,
    headers: Headers<'_>,
    value: &[u8],
) {
    let mut flags = 0;
    match timestamp.kind {
        TimestampKind::None => {}
        TimestampKind::Create => flags |= HAS_TIMESTAMP,
        TimestampKind::LogAppend => flags |= HAS_TIMESTAMP | LOG_APPEND,
    }
    if !headers.is_empty() {
        flags |= HAS_HEADERS;
    }
    out.push(VERSION << 4 | flags);
    push_varint(out, offset.get().cast_unsigned());
    if flags & HAS_TIMESTAMP != 0 {
        push_varint(out, zigzag(timestamp.at.get()));
    }
    if !headers.is_empty() {
        push_headers(out, headers);
    }
    out.extend_from_slice(value);
}

/// Appends the stored form of an entry whose value is not kept: header and length.
pub fn push_too_large(
    out: &mut Vec<u8>,
    offset: Offset,
    timestamp: Timestamp,
    headers: Headers<'_>,
    bytes: u64,
) {
    let first = out.len();
    push_entry(out, offset, timestamp, headers, &[]);
    if let Some(byte) = out.get_mut(first) {
        *byte = VERSION_FLAGGED << 4 | *byte & 0x0f;
    }
    out.insert(first + 1, TOO_LARGE);
    push_varint(out, bytes);
}

/// Appends the stored form of a marker: a tombstone that is kept, so that it outranks older values elsewhere.
pub fn push_marker(out: &mut Vec<u8>, offset: Offset, timestamp: Timestamp) {
    let first = out.len();
    push_entry(out, offset, timestamp, &[], &[]);
    if let Some(first) = out.get_mut(first) {
        *first |= MARKER;
    }
}

impl EntryHeader {
    /// Reads the header of a stored entry.
    ///
    /// # Errors
    /// [`FormatError`] when the bytes were not written by [`push_entry`] of this or an earlier version.
    pub fn parse(stored: &[u8]) -> Result<Self, FormatError> {
        let mut cursor = Cursor { bytes: stored, at: 0 };
        let first = cursor.byte()?;
        let further = match first >> 4 {
            VERSION => 0,
            VERSION_FLAGGED => cursor.byte()?,
            _ => return Err(FormatError::Unknown),
        };
        if further & !TOO_LARGE != 0 {
            return Err(FormatError::Unknown);
        }
        let offset = Offset::new(cursor.varint()?.cast_signed());
        let at = match first & HAS_TIMESTAMP {
            0 => Millis::default(),
            _ => Millis::new(unzigzag(cursor.varint()?)),
        };
        let headers = if first & HAS_HEADERS == 0 { (0, 0) } else { cursor.skip_sized()? };
        let timestamp = Timestamp { at, kind: timestamp_kind(first) };
        let too_large = (further & TOO_LARGE != 0).then(|| cursor.varint()).transpose()?;
        Ok(Self { offset, timestamp, marker: first & MARKER != 0, too_large, headers, value: cursor.at })
    }

    /// Returns where the value begins within the stored bytes.
    #[must_use]
    pub fn value_start(&self) -> usize {
        self.value
    }

    /// Returns whether record headers were kept; a record without any has none.
    #[must_use]
    pub fn has_headers(&self) -> bool {
        self.headers.0 < self.headers.1
    }

    /// Reads the record headers out of the stored bytes the header was parsed from.
    ///
    /// # Errors
    /// [`FormatError::Garbled`] when they are cut off.
    pub fn headers<'a>(&self, stored: &'a [u8]) -> Result<Vec<Header<'a>>, FormatError> {
        let block = stored.get(self.headers.0..self.headers.1).ok_or(FormatError::Garbled)?;
        let mut cursor = Cursor { bytes: block, at: 0 };
        let mut headers = Vec::new();
        while cursor.at < block.len() {
            let name = cursor.sized()?;
            let value = match cursor.varint()? {
                0 => None,
                length => Some(cursor.take(length - 1)?),
            };
            headers.push((name, value));
        }
        Ok(headers)
    }
}

fn timestamp_kind(flags: u8) -> TimestampKind {
    match (flags & HAS_TIMESTAMP, flags & LOG_APPEND) {
        (0, _) => TimestampKind::None,
        (_, 0) => TimestampKind::Create,
        _ => TimestampKind::LogAppend,
    }
}

/// The block starts with its own length, so that a read of the value alone skips it in one step.
fn push_headers(out: &mut Vec<u8>, headers: Headers<'_>) {
    let mut block = Vec::new();
    for (name, value) in headers {
        push_varint(&mut block, name.len() as u64);
        block.extend_from_slice(name);
        push_varint(&mut block, value.map_or(0, |value| value.len() as u64 + 1));
        block.extend_from_slice(value.unwrap_or_default());
    }
    push_varint(out, block.len() as u64);
    out.extend_from_slice(&block);
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn byte(&mut self) -> Result<u8, FormatError> {
        let byte = *self.bytes.get(self.at).ok_or(FormatError::Garbled)?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, FormatError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(FormatError::Garbled)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], FormatError> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let end = end.ok_or(FormatError::Garbled)?;
        let taken = self.bytes.get(self.at..end).ok_or(FormatError::Garbled)?;
        self.at = end;
        Ok(taken)
    }

    fn sized(&mut self) -> Result<&'a [u8], FormatError> {
        let length = self.varint()?;
        self.take(length)
    }

    fn skip_sized(&mut self) -> Result<(usize, usize), FormatError> {
        let length = self.sized()?.len();
        Ok((self.at - length, self.at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(offset: i64, at: i64, kind: TimestampKind, headers: Headers<'_>, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let timestamp = Timestamp { at: Millis::new(at), kind };
        push_entry(&mut out, Offset::new(offset), timestamp, headers, value);
        out
    }

    proptest! {
        #[test]
        fn an_entry_is_read_back_as_it_was_written(
            offset in 0..i64::MAX,
            at in any::<i64>(),
            value in proptest::collection::vec(any::<u8>(), 0..64),
            headers in proptest::collection::vec((".{0,9}", proptest::option::of(".{0,9}")), 0..4),
        ) {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref().map(str::as_bytes))).collect();
            let bytes = stored(offset, at, TimestampKind::LogAppend, &headers, &value);
            let header = EntryHeader::parse(&bytes).unwrap();
            prop_assert_eq!(header.offset, Offset::new(offset));
            prop_assert_eq!(header.timestamp, Timestamp { at: Millis::new(at), kind: TimestampKind::LogAppend });
            prop_assert_eq!(header.headers(&bytes).unwrap(), headers);
            prop_assert_eq!(&bytes[header.value_start()..], &value[..]);
        }

        #[test]
        fn any_bytes_are_refused_or_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(header) = EntryHeader::parse(&bytes) {
                let _ = header.headers(&bytes);
                prop_assert!(header.value_start() <= bytes.len());
            }
        }
    }

    #[test]
    fn an_entry_of_a_later_format_is_refused() {
        for later in [[0x30, 0], [0x20, 2]] {
            assert_eq!(EntryHeader::parse(&later), Err(FormatError::Unknown));
        }
        assert_eq!(EntryHeader::parse(&[]), Err(FormatError::Garbled));
    }

    #[test]
    fn an_entry_without_its_value_keeps_everything_else() {
        let mut out = Vec::new();
        let timestamp = Timestamp { at: Millis::new(5), kind: TimestampKind::Create };
        let headers: Headers<'_> = &[(b"trace", Some(b"1"))];
        push_too_large(&mut out, Offset::new(300), timestamp, headers, 70_000);
        let header = EntryHeader::parse(&out).unwrap();
        assert_eq!((header.offset, header.timestamp, header.marker), (Offset::new(300), timestamp, false));
        assert_eq!((header.too_large, header.value_start()), (Some(70_000), out.len()));
        assert_eq!(header.headers(&out).unwrap(), headers);
    }

    #[test]
    fn a_record_without_a_time_has_none_in_the_store() {
        let header = EntryHeader::parse(&stored(7, 99, TimestampKind::None, &[], b"v")).unwrap();
        assert_eq!(header.timestamp, Timestamp { at: Millis::new(0), kind: TimestampKind::None });
    }

    #[test]
    fn the_range_of_a_slot_holds_all_its_keys_and_no_other() {
        let (start, end) = slot_range(SlotNumber(7));
        let mut inside = Vec::new();
        push_key(&mut inside, SlotNumber(7), &[0xff; 9]);
        let mut after = Vec::new();
        push_key(&mut after, SlotNumber(8), &[]);
        assert!(start <= inside && inside < end && end <= after);
        assert_eq!(split_key(&inside), Some((SlotNumber(7), &[0xff; 9][..])));
        assert_eq!((split_key(b"\0i"), split_key(&[ENTRY_SPACE, 0, 0])), (None, None));
        assert_eq!(slot_range(SlotNumber(u32::MAX)).1, [ENTRY_SPACE + 1]);
    }
}
