//! The chain, computed again from what was received, and the first place where it does not fit.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Fault;
use super::record::{Numbered, Record, statement};
use tracker_evidence::{Hash, Run, Statement};

/// Hypotheses about a segment are tried on no more entries than this.
const MOST_TRIED: usize = 256;

/// The chain of one record.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Hashes as computed.
    pub(super) hashes: BTreeMap<u64, Hash>,
    /// Where it first does not fit.
    pub(super) fault: Option<Fault>,
    /// The entry at which that was found out.
    pub(super) fault_at: Option<u64>,
    /// The number up to which all fits.
    pub(super) good_to: Option<u64>,
    /// Where the chain begins, or begins anew: number, and what it goes on from.
    pub(super) starts: BTreeMap<u64, Option<u64>>,
    /// Entries that later ones do not follow: a power cut came between.
    pub(super) loose: BTreeSet<u64>,
    /// Which version counts of what came in several.
    pub(super) chosen: BTreeMap<u64, usize>,
    /// The first entry that would excuse something and is not believed; where it says that entries are lost, behind which.
    pub(super) doubted: Option<(u64, Option<u64>)>,
    /// Entries that came before there was a chain, or after: without a hash.
    pub(super) outside: BTreeSet<u64>,
}

/// Where runs end that became coarser: by their last number, the newest first.
type Jumps = BTreeMap<u64, Vec<Run>>;

/// The walk along the entries.
struct Walk<'a> {
    record: &'a Record,
    chain: Chain,
    jumps: Jumps,
    /// Numbers within such a run: none of them is missed.
    thinned: Vec<(u64, u64)>,
    /// Where the chain goes on behind a power cut: from which entry, each with the one behind which others may be lost.
    cuts: BTreeMap<u64, u64>,
    state: Option<Hash>,
    /// The state where the last hash fitted, and the entries since.
    checked: Option<Hash>,
    since: Vec<u64>,
}

impl Chain {
    /// Computes the chain over `record`. That something was thinned, or that what had been signed was lost, is believed only
    /// where `believes` says so of the entry that states it.
    pub(super) fn over(record: &Record, believes: impl Fn(u64, &Statement) -> bool) -> Self {
        let mut heads = BTreeMap::new();
        let (mut runs, mut cuts, mut signs) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        let mut chain = Self::default();
        for (seq, statement) in record.statements() {
            let is_believed = believes(seq, &statement);
            match statement {
                Statement::Start { from, after, head, .. } => {
                    // What was signed before is not lost, unless the device signs that.
                    let signed = signs.range(..from).next_back().copied().unwrap_or(0);
                    let least = after.filter(|_| is_believed).unwrap_or(signed);
                    let doubted = after.filter(|after| *after < least).map(|after| (seq, Some(after)));
                    chain.doubted = chain.doubted.or(doubted);
                    cuts.insert(from, least.max(after.unwrap_or(0)));
                    heads.insert(from, (after, head));
                    chain.starts.insert(from, after);
                }
                Statement::Thinned { runs: more, .. } if is_believed => runs.extend(more),
                Statement::Thinned { .. } => chain.doubted = chain.doubted.or(Some((seq, None))),
                Statement::Signature { up_to, .. } => drop(signs.insert(up_to)),
                _ => {}
            }
        }
        let thinned = runs.iter().map(|run| (run.from, run.to)).collect();
        let jumps = jumps(&runs);
        let (state, checked, since) = (None, None, Vec::new());
        let mut walk = Walk { record, chain, jumps, thinned, cuts, state, checked, since };
        for (seq, numbered) in &record.entries {
            walk.jump_before(*seq);
            if let Some((after, head)) = heads.get(seq) {
                walk.start(*seq, *after, *head);
            }
            walk.enter(*seq, numbered);
        }
        walk.jump_before(u64::MAX);
        walk.chain.outside.extend(walk.since.drain(..));
        walk.chain
    }
}

/// Of runs that overlap the newer one counts: what ended within it is no end any more.
fn jumps(runs: &[Run]) -> Jumps {
    let mut jumps = Jumps::new();
    for (index, run) in runs.iter().enumerate().rev() {
        let newer = &runs[index + 1..];
        if !newer.iter().any(|newer| (newer.from..newer.to).contains(&run.to)) {
            jumps.entry(run.to).or_default().push(run.clone());
        }
    }
    jumps
}

impl Walk<'_> {
    /// Goes on behind the runs that end before this number.
    fn jump_before(&mut self, seq: u64) {
        while let Some(entry) = self.jumps.first_entry().filter(|entry| *entry.key() < seq) {
            for run in entry.remove() {
                // Of a run of which nothing was received nothing can be said.
                let Some(state) = self.state else { continue };
                if state != run.digest && self.cut_behind(run.to).is_none() {
                    let found = diagnose(self.record, self.checked, &self.since, run.digest, &self.thinned);
                    self.fault(found.unwrap_or(Fault::Thinned { from: run.from, to: run.to }));
                }
                self.settle(run.head);
            }
        }
    }

    fn start(&mut self, from: u64, after: Option<u64>, head: Option<Hash>) {
        // Of what became coarser the last may be gone.
        let known = |after: u64| {
            let is_last = self.since.last().is_none_or(|last| *last <= after);
            self.chain.hashes.get(&after).copied().or(self.state.filter(|_| is_last))
        };
        if let (Some(after), Some(head), Some(_)) = (after, head, self.state) {
            let known = known(after).unwrap_or(Hash::NONE);
            // It says what the hash there is, as messages do.
            let segment: Vec<u64> = self.since.extract_if(.., |seq| *seq <= after).collect();
            if known == head {
                self.chain.good_to = self.chain.good_to.max(Some(after));
            } else if self.cut_behind(after).is_none() {
                let found = diagnose(self.record, self.checked, &segment, head, &self.thinned);
                let last = self.record.entries.range(..from).next_back().map_or(after, |(last, _)| *last);
                let left_out = (last < after).then_some(Fault::LeftOut { from: last + 1, to: after });
                let found = left_out.or(found);
                self.fault(
                    found.or_else(|| of_segment(&segment)).unwrap_or(Fault::OtherStart { from, after }),
                );
            }
        }
        // What comes between is followed by nothing.
        let loose = after.map_or(from, |after| after + 1)..from;
        let hashes = self.chain.hashes.range(loose).map(|(seq, _)| *seq);
        self.chain.loose.extend(hashes);
        self.chain.outside.extend(self.since.drain(..));
        self.settle(head.unwrap_or(Hash::NONE));
    }

    /// What came so far fits, or is given up.
    fn settle(&mut self, state: Hash) {
        (self.state, self.checked) = (Some(state), Some(state));
        self.since.clear();
    }

    fn enter(&mut self, seq: u64, numbered: &Numbered) {
        let Some(before) = self.state else {
            // Before the first hash nothing can be said.
            self.chain.outside.insert(seq);
            if let [(hash, _)] = numbered.stated[..] {
                self.settle(hash);
            }
            return;
        };
        self.since.push(seq);
        let next = before.next_canonical(self.body(before, seq, numbered));
        self.state = Some(next);
        self.chain.hashes.insert(seq, next);
        let Some((stated, _)) = numbered.stated.first() else { return };
        if numbered.stated.iter().any(|(hash, _)| *hash == next) {
            self.chain.good_to = Some(seq);
            return self.settle(next);
        }
        if self.goes_on(seq, next) == Some(true) && self.goes_on(seq, *stated) != Some(true) {
            self.fault(Fault::Hash { seq });
            return self.settle(next);
        }
        if let Some(after) = self.cut_behind(seq) {
            // What it follows may have been lost with the power, too: it is listed, and proves nothing.
            for loose in self.since.extract_if(.., |seq| *seq > after) {
                self.chain.loose.insert(loose);
                self.chain.hashes.remove(&loose);
            }
            let last = self.since.last().and_then(|last| self.chain.hashes.get(last));
            self.state = last.copied().or(self.checked);
            return;
        }
        let found = self.left_out_behind(seq, *stated);
        let found =
            found.or_else(|| diagnose(self.record, self.checked, &self.since, *stated, &self.thinned));
        if let Some(fault) = found.or_else(|| of_segment(&self.since)) {
            self.fault(fault);
        }
        self.settle(*stated);
        self.chain.hashes.insert(seq, *stated);
    }

    /// The body of an entry. Where it came in several versions, it is the one that the chain goes on from; the others are told.
    fn body<'a>(&mut self, before: Hash, seq: u64, numbered: &'a Numbered) -> &'a str {
        if numbered.versions.len() < 2 {
            return numbered.body();
        }
        let fits = |body: &str| {
            let hash = before.next_canonical(body);
            let is_stated =
                numbered.stated.is_empty() || numbered.stated.iter().any(|(stated, _)| *stated == hash);
            is_stated && self.goes_on(seq, hash).unwrap_or(!numbered.stated.is_empty())
        };
        let fitting: Vec<usize> = numbered
            .versions
            .iter()
            .enumerate()
            .filter(|(_, version)| fits(&version.body))
            .map(|(at, _)| at)
            .collect();
        let [chosen] = fitting[..] else {
            self.fault(Fault::Versions { seq });
            return numbered.body();
        };
        let foreign = numbered.versions.iter().enumerate().find(|(at, _)| *at != chosen);
        if let Some((_, foreign)) = foreign {
            self.fault(Fault::Foreign { seq, line: foreign.line });
        }
        self.chain.chosen.insert(seq, chosen);
        &numbered.versions[chosen].body
    }

    /// Where the chain goes on from an entry before this one, as it does where the power was cut before the device had stored what
    /// it had sent: that entry.
    fn cut_behind(&self, seq: u64) -> Option<u64> {
        self.cuts.range(seq + 1..).map(|(_, after)| *after).min().filter(|after| *after < seq)
    }

    /// Whether the last of a message was left out: the next number is not there, and what follows goes on from its hash.
    fn left_out_behind(&self, seq: u64, stated: Hash) -> Option<Fault> {
        let (next, numbered) = self.record.entries.range(seq + 1..).next()?;
        let starts =
            matches!(statement(numbered.body()), Some(Statement::Start { from, .. }) if from == *next);
        let is_gap = *next > seq + 1 && !starts && self.goes_on(seq, stated) == Some(true);
        is_gap.then_some(Fault::LeftOut { from: seq + 1, to: next - 1 })
    }

    /// Whether the next hash that is carried fits what comes after `seq`, if that had this hash.
    fn goes_on(&self, seq: u64, hash: Hash) -> Option<bool> {
        let mut state = hash;
        for (_, numbered) in self.record.entries.range(seq + 1..) {
            state = state.next_canonical(numbered.body());
            if !numbered.stated.is_empty() {
                return Some(numbered.stated.iter().any(|(hash, _)| *hash == state));
            }
        }
        None
    }

    fn fault(&mut self, fault: Fault) {
        if self.chain.fault.is_none() {
            self.chain.fault = Some(fault);
            self.chain.fault_at = self.since.last().copied().or(self.chain.good_to);
        }
    }
}

/// Which entry of a segment is wrong, as far as that can be found out by trying.
fn diagnose(
    record: &Record,
    begin: Option<Hash>,
    segment: &[u64],
    end: Hash,
    thinned: &[(u64, u64)],
) -> Option<Fault> {
    let entries: Vec<(u64, &Numbered)> = segment.iter().map(|seq| (*seq, &record.entries[seq])).collect();
    let fits = |bodies: &mut dyn Iterator<Item = &str>| {
        begin.map(|begin| bodies.fold(begin, Hash::next_canonical)) == Some(end)
    };
    if segment.len() <= MOST_TRIED {
        for (seq, _) in &entries {
            let others = entries.iter().filter(|(other, _)| other != seq);
            if fits(&mut others.map(|(_, numbered)| numbered.body())) {
                return Some(Fault::PutIn { seq: *seq });
            }
        }
    }
    missing(record, segment, thinned)
}

/// The first number that is not there, within a segment or right before it.
fn missing(record: &Record, segment: &[u64], thinned: &[(u64, u64)]) -> Option<Fault> {
    let before = record.entries.range(..segment.first()?).next_back().map(|(seq, _)| *seq);
    let mut next = before.map(|seq| seq + 1);
    for seq in segment {
        let Some(expected) = next.replace(seq + 1).filter(|expected| expected < seq) else { continue };
        let is_thinned = thinned.iter().any(|(from, to)| (*from..=*to).contains(&expected));
        // Numbers may jump where the agent starts.
        let starts = matches!(statement(record.entries[seq].body()), Some(Statement::Start { from, .. }) if from == *seq);
        if !is_thinned && !starts {
            return Some(Fault::LeftOut { from: expected, to: seq - 1 });
        }
    }
    None
}

/// What is said of a segment in which nothing can be found out.
fn of_segment(segment: &[u64]) -> Option<Fault> {
    match segment {
        [] => None,
        [seq] => Some(Fault::Changed { seq: *seq }),
        [first, .., last] => Some(Fault::OneOf { from: *first, to: *last }),
    }
}
