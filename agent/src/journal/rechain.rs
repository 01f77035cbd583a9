//! The chain over readings of which some are gone: what is left of a run is chained anew, and stated with the hash from which the
//! chain goes on behind it.
//!
//! A run is a row of readings between which nothing is missing but what was thinned before: what was delivered from between two
//! readings still has its hash computed from its neighbours', so that there is a run on either side. What is on its way, and
//! what the device stated, is a run by itself.

use super::row::Row;
use tracker_evidence::{Hash, Run};

/// A reading before anything went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chained {
    seq: u64,
    hash: Option<Hash>,
    /// It is the first of its run, and stays.
    pub(super) begins: bool,
}

/// How these rows, oldest first, fall into runs; none of those that are `kept` may go, nor of the events where it
/// `spares_events`.
pub(super) fn runs(rows: &[Row], kept: impl Fn(u64) -> bool, spares_events: bool) -> Vec<Chained> {
    let (mut chained, mut next, mut alone) = (Vec::with_capacity(rows.len()), None, false);
    for row in rows {
        let (hash, was_alone) = (row.chain(), alone);
        alone = kept(row.seq) || row.is_statement() || (spares_events && row.is_event());
        // Where there is no chain nothing is to be spared for it.
        let begins = hash.is_some() && (alone || was_alone || next != Some(row.seq));
        next = Some(row.seq + u64::from(row.stands_for));
        chained.push(Chained { seq: row.seq, hash, begins });
    }
    chained
}

/// Whether a reading is the first of its run.
pub(super) fn begins(chained: &[Chained], seq: u64) -> bool {
    let found = chained.binary_search_by_key(&seq, |reading| reading.seq);
    found.is_ok_and(|at| chained[at].begins)
}

/// Chains anew what is `left` of those readings, and gives the runs of which something is gone.
pub(super) fn rechain(before: &[Chained], left: &mut [Row]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut rest = left;
    for run in before.chunk_by(|_, other| !other.begins) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let here = rest.iter().take_while(|row| row.seq <= last.seq).count();
        let (rows, others) = std::mem::take(&mut rest).split_at_mut(here);
        rest = others;
        let Some((head, mut digest)) = last.hash.zip(first.hash).filter(|_| here < run.len()) else {
            continue;
        };
        for row in rows.iter_mut().skip(1) {
            digest = row.body().and_then(|body| digest.next(&body)).unwrap_or(digest);
            row.set_chain(Some(digest));
        }
        runs.push(Run { from: first.seq, to: last.seq, digest, head });
    }
    runs
}
