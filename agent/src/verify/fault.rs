//! What can be wrong with a record, one sentence each.

use std::fmt;

/// The first thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// One reading, by its hash.
    Changed { seq: u64 },
    /// One of several that share a hash.
    OneOf { from: u64, to: u64 },
    /// A number that is not there.
    LeftOut { from: u64, to: u64 },
    /// A reading without which all fits.
    PutIn { seq: u64 },
    /// It came in several versions, one of which, on this line, is not the device's.
    Foreign { seq: u64, line: usize },
    /// It came in several versions, none of which fits.
    Versions { seq: u64 },
    /// The readings fit, and the hash that came with them does not.
    Hash { seq: u64 },
    /// A run that became coarser is not what the device has stated.
    Thinned { from: u64, to: u64 },
    /// Readings are not there, and that the device has thinned them, or lost what came after one that it had signed, stands in an
    /// entry that nobody has signed.
    Unproven { at: u64, lost_after: Option<u64>, why: Box<Fault> },
    /// The chain is said to go on from another hash than that of this reading.
    OtherStart { from: u64, after: u64 },
    /// The key has signed another hash than the one that the readings give.
    Signed { after: Option<u64>, up_to: u64 },
    /// A signature that is none.
    Signature { seq: u64, why: String },
    /// Nobody has signed for a long time.
    Unsigned { after: Option<u64>, hours: i64 },
    /// What can't be read.
    Unreadable(String),
}

impl Fault {
    /// The number that it names, if it can name one.
    pub(super) fn seq(&self) -> Option<u64> {
        match self {
            Self::Changed { seq }
            | Self::LeftOut { from: seq, .. }
            | Self::PutIn { seq }
            | Self::Foreign { seq, .. }
            | Self::Versions { seq }
            | Self::Hash { seq }
            | Self::Signature { seq, .. } => Some(*seq),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since =
            |after: &Option<u64>| after.map_or("the beginning".into(), |seq| format!("reading {seq}"));
        match self {
            Self::Changed { seq } => write!(
                f,
                "reading {seq} does not fit the hash that came with it: it was changed, what was behind it in its message was left out, or \
                 what is before was changed together with its hash"
            ),
            Self::OneOf { from, to } => write!(
                f,
                "one of the readings {from} to {to} is not as the device has sent it, or readings behind them were left out of \
                 their message, or what is before was changed together with its hash; they came in one message and share \
                 one hash, so that it can't be said which"
            ),
            Self::LeftOut { from, to } if from == to => write!(f, "reading {from} was left out"),
            Self::LeftOut { from, to } => write!(f, "readings were left out, {from} to {to} or some of them"),
            Self::PutIn { seq } => write!(f, "reading {seq} was put in: without it all fits"),
            Self::Foreign { seq, line } => {
                write!(
                    f,
                    "reading {seq} came in several versions, and that on line {line} is not the device's"
                )
            }
            Self::Versions { seq } => write!(f, "reading {seq} came in several versions, none of which fits"),
            Self::Hash { seq } => write!(
                f,
                "the hash that came with reading {seq} does not fit what comes before and after: it was changed, or readings behind it \
                 were left out of its message, or readings of the messages around it were changed, together with their hashes"
            ),
            Self::Thinned { from, to } => write!(
                f,
                "among the readings {from} to {to}, which the device has made coarser, are others than it has kept; it states one hash for \
                 all of them, so that it can't be said which"
            ),
            Self::Unproven { at, lost_after: Some(after), why } => write!(
                f,
                "entry {at} says that the device has lost with the power what came after entry {after}, which was signed, but no \
                 signature covers that; without it {why}"
            ),
            Self::Unproven { at, lost_after: None, why } => write!(
                f,
                "entry {at} says that the device has made its history coarser, but no signature covers that; without it {why}"
            ),
            Self::OtherStart { from, after } => {
                write!(
                    f,
                    "from reading {from} on the chain goes on from another reading {after} than was received"
                )
            }
            Self::Signed { after, up_to } => write!(
                f,
                "the device's key has signed another record: between {} and reading {up_to} something was changed, left out or put in, and \
                 the hashes were made anew, so that it can't be said where",
                since(after)
            ),
            Self::Signature { seq, why } => write!(f, "the signature in entry {seq} does not count: {why}"),
            Self::Unsigned { after, hours } => write!(
                f,
                "after {} {hours} hours are without a signature, though the device signs every day while it has its key: signatures were \
                 left out, or the key could not be used; nothing is shown of these readings, and none can be named",
                since(after)
            ),
            Self::Unreadable(what) => f.write_str(what),
        }
    }
}
