//! The bytes of the waiting room's file: a head, and one record after the other. All numbers are little-endian.
//!
//! | head | |
//! |---|---|
//! | 8 | "CTRroom1"; another version has another last letter |
//! | 2 + 4 | length of the text, and its CRC-32 |
//! | text | whose room it is, a line feed, and the boot in which its readings were taken |
//!
//! | record | |
//! |---|---|
//! | 4 | length of what follows the slot |
//! | 4 | generation: what is left of an earlier one behind the last record is none |
//! | 4 | CRC-32 of both and of what follows the slot |
//! | 8 + 4 + 4 | the slot: number, start, and CRC-32 of both and of the sum before. Where that is wrong the reading has no number yet |
//! | 1 + 4 | 1 where it was taken in a boot that nothing is known of, else 0; readings it stands for |
//! | 8 + 8 | monotonic time and UTC in ms, the latter -2^63 where it was not known |
//! | payload | as the journal stores it |

use flate2::Crc;

use crate::journal::row::{Row, UNKNOWN_BOOT};

const MAGIC: &[u8; 8] = b"CTRroom1";
/// Bytes of the head before its text.
const HEAD: usize = 14;
/// Where a record's slot begins, and how long it is.
pub(crate) const SLOT_AT: usize = 12;
pub(crate) const SLOT: usize = 16;
/// Bytes of a record before the payload.
const FIXED: usize = SLOT_AT + SLOT + 21;
/// No record is longer.
pub(crate) const LONGEST: usize = 64 * 1024;
/// Stands for a time that is not known.
const NO_TIME: i64 = i64::MIN;

/// What is found in a file.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The readings, in the order in which they were taken; the number of one that has none is 0.
    pub(crate) rows: Vec<Row>,
    /// Where the last one ends.
    pub(crate) end: usize,
    pub(crate) generation: u32,
}

/// The head of the file of this room, in this boot.
pub(crate) fn head(room: &str, boot: &str) -> Vec<u8> {
    let text = format!("{room}\n{boot}");
    let length = (text.len() as u16).to_le_bytes();
    [MAGIC.as_slice(), &length, &sum(&[text.as_bytes()]).to_le_bytes(), text.as_bytes()].concat()
}

/// The boot that the head tells, and where the head ends; `None` for what is no file of this room.
pub(crate) fn read_head<'a>(bytes: &'a [u8], room: &str) -> Option<(&'a str, usize)> {
    let length = u16::from_le_bytes(part(bytes, 8)?);
    let end = HEAD + usize::from(length);
    let text = bytes.get(HEAD..end).filter(|text| sum(&[text]).to_le_bytes() == bytes[10..HEAD])?;
    let (of, boot) = std::str::from_utf8(text).ok()?.split_once('\n')?;
    (bytes.starts_with(MAGIC) && of == room).then_some((boot, end))
}

/// Appends a record to `bytes`.
pub(crate) fn write(bytes: &mut Vec<u8>, row: &Row, generation: u32) {
    let at = bytes.len();
    bytes.extend_from_slice(&[0; SLOT_AT + SLOT]);
    bytes.push(u8::from(row.boot.is_some()));
    bytes.extend_from_slice(&row.stands_for.to_le_bytes());
    bytes.extend_from_slice(&row.monotonic_ms.to_le_bytes());
    bytes.extend_from_slice(&row.utc_ms.unwrap_or(NO_TIME).to_le_bytes());
    bytes.extend_from_slice(&row.payload);
    let record = &mut bytes[at..];
    let length = (record.len() - SLOT_AT - SLOT) as u32;
    record[..4].copy_from_slice(&length.to_le_bytes());
    record[4..8].copy_from_slice(&generation.to_le_bytes());
    let sum = sum(&[&record[..8], &record[SLOT_AT + SLOT..]]);
    record[8..SLOT_AT].copy_from_slice(&sum.to_le_bytes());
    if row.seq != 0 {
        record[SLOT_AT..SLOT_AT + SLOT].copy_from_slice(&slot(row, sum));
    }
}

/// Bytes of a row's record.
pub(crate) fn length(row: &Row) -> u64 {
    (FIXED + row.payload.len()) as u64
}

/// What the slot of this row's record holds; `record_sum` is the record's own.
pub(crate) fn slot(row: &Row, record_sum: u32) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..8].copy_from_slice(&row.seq.to_le_bytes());
    slot[8..12].copy_from_slice(&row.start.to_le_bytes());
    let sum = sum(&[&slot[..12], &record_sum.to_le_bytes()]);
    slot[12..].copy_from_slice(&sum.to_le_bytes());
    slot
}

/// The sum of the record that `bytes` begin with.
pub(crate) fn sum_of(bytes: &[u8]) -> u32 {
    part(bytes, 8).map_or(0, u32::from_le_bytes)
}

/// Reads the records from `at` on, up to the first that is not whole, or of another generation.
pub(crate) fn read(bytes: &[u8], at: usize) -> Found {
    let mut found = Found { end: at, ..Found::default() };
    while let Some((row, generation, length)) = bytes.get(found.end..).and_then(read_one) {
        if !found.rows.is_empty() && generation != found.generation {
            break;
        }
        found.rows.push(row);
        (found.end, found.generation) = (found.end + length, generation);
    }
    found
}

/// The row, its generation, and the length of its record.
fn read_one(bytes: &[u8]) -> Option<(Row, u32, usize)> {
    let length = u32::from_le_bytes(part(bytes, 0)?) as usize;
    let record = bytes.get(..SLOT_AT + SLOT + length.min(LONGEST))?;
    if record.len() < FIXED || sum(&[&record[..8], &record[SLOT_AT + SLOT..]]) != sum_of(record) {
        return None;
    }
    let utc_ms = i64::from_le_bytes(part(record, 41)?);
    let mut row = Row {
        seq: u64::from_le_bytes(part(record, SLOT_AT)?),
        start: u32::from_le_bytes(part(record, SLOT_AT + 8)?),
        boot: (record[28] != 0).then_some(UNKNOWN_BOOT),
        monotonic_ms: i64::from_le_bytes(part(record, 33)?),
        utc_ms: Some(utc_ms).filter(|ms| *ms != NO_TIME),
        stands_for: u32::from_le_bytes(part(record, 29)?),
        payload: record[FIXED..].to_vec(),
        known: None,
    };
    if record[SLOT_AT..SLOT_AT + SLOT] != slot(&row, sum_of(record)) {
        (row.seq, row.start) = (0, 0);
    }
    row.is_sound().then_some((row, u32::from_le_bytes(part(record, 4)?), record.len()))
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn sum(parts: &[&[u8]]) -> u32 {
    let mut crc = Crc::new();
    for part in parts {
        crc.update(part);
    }
    crc.sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(n: u64) -> Row {
        Row {
            seq: n,
            start: 7 * n as u32,
            boot: n.is_multiple_of(3).then_some(UNKNOWN_BOOT),
            monotonic_ms: 1000 * n as i64,
            utc_ms: n.is_multiple_of(2).then_some(1_780_000_000_000 + n as i64),
            stands_for: 1 + n as u32,
            payload: format!(r#"{{"f":{{"n":{n}}}}}"#).into_bytes(),
            known: None,
        }
    }

    /// Readings 0 to `count`, of which the first has no number.
    fn file(count: u64) -> (Vec<u8>, Vec<Row>) {
        let mut bytes = head("room", "boot-1");
        let rows: Vec<Row> = (0..count).map(row).collect();
        for row in &rows {
            write(&mut bytes, row, 5);
        }
        (bytes, rows)
    }

    #[test]
    fn what_is_written_is_read() {
        let (bytes, rows) = file(9);
        let (boot, end) = read_head(&bytes, "room").unwrap();
        assert_eq!((boot, read_head(&bytes, "other")), ("boot-1", None));
        let found = read(&bytes, end);
        assert_eq!((found.rows, found.end, found.generation), (rows, bytes.len(), 5));
        assert_eq!(read_head(&[MAGIC.as_slice(), &bytes[8..]].concat(), "room"), Some((boot, end)));
        assert_eq!(read_head(&[b"CTRroom2".as_slice(), &bytes[8..]].concat(), "room"), None);
    }

    #[test]
    fn cut_anywhere_the_records_before_are_whole() {
        let (bytes, rows) = file(3);
        let head = read_head(&bytes, "room").unwrap().1;
        let ends: Vec<usize> = (0..=3).map(|count| file(count).0.len()).collect();
        for length in head..=bytes.len() {
            let whole = ends.iter().rposition(|end| *end <= length).unwrap();
            assert_eq!(read(&bytes[..length], head).rows, rows[..whole], "cut at {length}");
        }
    }

    #[test]
    fn what_is_left_of_an_earlier_generation_is_none() {
        let (mut bytes, _) = file(4);
        let (end, mut over) = (read_head(&bytes, "room").unwrap().1, Vec::new());
        write(&mut over, &row(1), 6);
        bytes[end..end + over.len()].copy_from_slice(&over);
        assert_eq!(read(&bytes, end).rows, [row(1)], "the second begins where the first of before ended");
    }

    #[test]
    fn half_a_number_is_none() {
        let (bytes, rows) = file(2);
        let end = read_head(&bytes, "room").unwrap().1;
        for byte in 0..SLOT {
            let mut torn = bytes.clone();
            let at = file(1).0.len() + SLOT_AT + byte;
            torn[at] ^= 1;
            let found = read(&torn, end).rows;
            assert_eq!(found, [rows[0].clone(), Row { seq: 0, start: 0, ..rows[1].clone() }]);
        }
    }

    proptest! {
        #[test]
        fn other_bytes_are_no_readings(
            bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0..300_usize, places in prop::collection::vec(any::<(u16, u8)>(), 0..8),
        ) {
            prop_assert_eq!(read_head(&bytes, "room"), None);
            prop_assert!(read(&bytes, at).rows.is_empty());
            // A good file, meddled with: what is read is what was written, or has lost its number.
            let (mut file, rows) = file(5);
            let end = read_head(&file, "room").unwrap().1;
            for (place, value) in places {
                let length = file.len();
                file[usize::from(place) % length] = value;
            }
            for (found, row) in read(&file, end).rows.into_iter().zip(rows) {
                prop_assert_eq!(&found.payload, &row.payload);
                prop_assert!((found.seq, found.start) == (row.seq, row.start) || found.seq == 0);
            }
        }
    }
}
