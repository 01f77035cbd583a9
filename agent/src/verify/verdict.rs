//! What is said of one device's record.

use serde_json::{Value, json};

use super::chain::Chain;
use super::fault::Fault;
use super::record::{Numbered, Record, is_reading};
use super::signatures::{Roots, Signatures, Signed};
use super::trips;
use tracker_evidence::Statement;

/// Numbers that a note lists.
const LISTED: usize = 20;
/// Hours without a signature, of a device that signs every day, that are too many.
const SIGNED_WITHIN_HOURS: i64 = 26;

/// What was found.
#[derive(Debug)]
pub struct Verdict {
    device: String,
    readings: usize,
    first: Option<u64>,
    last: Option<u64>,
    pub(super) fault: Option<Fault>,
    pub(super) signed: Vec<Signed>,
    /// Readings in the chain that no signature covers.
    unsigned: usize,
    /// Readings without a hash, and those that nothing follows.
    outside: Vec<u64>,
    loose: Vec<u64>,
    starts: usize,
    asked_for_roots: bool,
    trips: Vec<trips::Found>,
}

impl Verdict {
    pub(super) fn of(device: &str, record: &Record, roots: Option<&Roots>) -> Self {
        let all = Chain::over(record, |_, _| true);
        let signatures = Signatures::of(device, record, &all, roots);
        let is_proven = |seq: u64, statement: &Statement| !excuses(statement) || signatures.cover(seq, &all);
        let chain = Chain::over(record, is_proven);
        let unreadable = record.unreadable.first().cloned().map(Fault::Unreadable);
        // A signature that does not fit only because of what is wrong before says nothing new.
        let before = |at: u64| chain.fault_at.is_none_or(|chain| at < chain);
        let of_signature = signatures.fault.clone().filter(|(at, _)| before(*at)).map(|(_, fault)| fault);
        let of_chain =
            chain.fault.clone().map(|fault| match chain.doubted.filter(|_| all.fault != chain.fault) {
                Some((at, lost_after)) => Fault::Unproven { at, lost_after, why: Box::new(fault) },
                None => fault,
            });
        let fault = of_signature.or(of_chain).or(unreadable);
        let signed_to = signatures.signed.iter().map(|signed| signed.up_to).max();
        let fault = fault.or_else(|| unsigned_for_long(record, &chain, signed_to));
        let is_counted = |seq: &u64| is_reading(record.entries[seq].body());
        let uncovered = chain.hashes.keys().filter(|seq| !signatures.cover(**seq, &chain));
        let uncovered = uncovered.filter(|seq| is_counted(seq)).count();
        Self {
            device: device.into(),
            readings: record.entries.keys().filter(|seq| is_counted(seq)).count(),
            first: record.entries.keys().next().copied(),
            last: record.entries.keys().next_back().copied(),
            fault,
            unsigned: uncovered,
            outside: chain.outside.iter().copied().filter(is_counted).collect(),
            loose: chain.loose.iter().copied().filter(is_counted).collect(),
            starts: chain.starts.values().filter(|after| after.is_none()).count(),
            asked_for_roots: roots.is_some(),
            trips: trips::of(record, &chain),
            signed: signatures.signed,
        }
    }

    /// Nothing is wrong, and somebody has signed for it.
    pub fn is_good(&self) -> bool {
        self.fault.is_none() && !self.signed.is_empty()
    }

    /// For people, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let Self { device, readings, .. } = self;
        let mut says = Vec::new();
        let from_to = self.first.zip(self.last).map(|(first, last)| format!(", entries {first} to {last}"));
        says.push(format!("{device}: {readings} readings{}", from_to.unwrap_or_default()));
        if let Some(fault) = &self.fault {
            says.push(format!("  WRONG: {fault}"));
        }
        says.extend(self.who());
        let note = |count: usize, what: &str| (count > 0).then(|| format!("  note: {count} {what}"));
        says.extend(note(
            self.unsigned,
            "readings come after the last signature: that they are the device's is not shown yet",
        ));
        let list = |seqs: &[u64], what: &str| {
            let first: Vec<String> = seqs.iter().take(LISTED).map(ToString::to_string).collect();
            let more = if seqs.len() > LISTED { ", …" } else { "" };
            (!seqs.is_empty()).then(|| format!("  note: {} {what} ({}{more})", seqs.len(), first.join(", ")))
        };
        says.extend(list(
            &self.outside,
            "readings came without a hash: evidence was off, or they were put in",
        ));
        says.extend(list(
            &self.loose,
            "readings are not followed by the chain, and not shown: the power was cut before the device had stored them, or they were put in; \
             whether others were lost with them, or left out, can't be seen",
        ));
        says.extend(note(
            self.starts.saturating_sub(1),
            "times the chain has begun anew: the device had lost its journal, or could not read it",
        ));
        says.extend(self.last.map(|last| {
            format!("  note: whether the device has sent more after entry {last}, only a signature that comes later can show")
        }));
        for trip in &self.trips {
            let ended = match (trip.ended, trip.differs.is_empty()) {
                (None, _) => "its end is not in the record".to_owned(),
                (Some(_), true) => "the device's report says the same".to_owned(),
                (Some(_), false) => format!(
                    "the device's report says something else of {}: it had more readings than were received",
                    trip.differs.join(", ")
                ),
            };
            says.push(format!("  trip {}; {ended}", Value::Object(trip.report.clone())));
        }
        says
    }

    /// Who has signed, each once.
    fn who(&self) -> Vec<String> {
        let mut says: Vec<String> = Vec::new();
        let newer = |index: usize, signed: &Signed| {
            self.signed[index + 1..].iter().any(|newer| newer.certificate == signed.certificate)
        };
        for (index, signed) in self.signed.iter().enumerate() {
            if newer(index, signed) {
                continue;
            }
            let Signed { up_to, certificate, subject, issuer, root, .. } = signed;
            let root = match root {
                Some(root) => format!("which leads to {root}"),
                None => "which nobody has checked: give --roots".into(),
            };
            says.push(format!(
                "  signed up to entry {up_to} by {subject}, certificate SHA-256 {certificate} of {issuer}, {root}"
            ));
        }
        if says.is_empty() {
            says.push("  nobody has signed for this record".into());
        }
        says
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "deviceId": self.device,
            "good": self.is_good(),
            "readings": self.readings,
            "fault": self.fault.as_ref().map(ToString::to_string),
            "seq": self.fault.as_ref().and_then(Fault::seq),
            "signed": self.signed,
            "rootsChecked": self.asked_for_roots,
            "unsigned": self.unsigned,
            "withoutHash": self.outside,
            "notFollowed": self.loose,
            "trips": self.trips,
        })
    }
}

/// Whether a statement explains why entries are not there.
fn excuses(statement: &Statement) -> bool {
    matches!(statement, Statement::Thinned { .. } | Statement::Start { after: Some(_), .. })
}

/// A device signs every day, while it can.
fn unsigned_for_long(record: &Record, chain: &Chain, signed_to: Option<u64>) -> Option<Fault> {
    let last = chain.hashes.keys().next_back()?;
    let after = signed_to.or(chain.hashes.keys().next().copied())?;
    let time = |seq: &u64| record.entries.get(seq).and_then(Numbered::time);
    let hours = (time(last)? - time(&after)?).num_hours();
    (hours >= SIGNED_WITHIN_HOURS).then_some(Fault::Unsigned { after: signed_to, hours })
}
