//! Summaries of the parts of a run, added up, and what is wrong with the whole.

use std::collections::BTreeMap;

use serde::Serialize;

use super::fault::FaultKind;
use super::fleet::State;
use super::latency::{Latency, Times};
use super::shard::{Shard, Span};
use super::summary::{Devices, Messages, Received, Run, Summary, Traffic};
use super::tally::Faults;

/// Clocks that are further apart are told of.
const SKEW_S: f64 = 2.0;
/// So many gaps are named.
const MOST_NAMED: usize = 10;

/// The whole.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Merged {
    /// Of which run.
    pub run: Run,
    /// How many parts were added.
    pub parts: usize,
    /// Sums.
    pub devices: Devices,
    /// Sums.
    pub messages: Messages,
    /// Sums.
    pub traffic: Traffic,
    /// Sums, with the first example.
    pub faults: BTreeMap<FaultKind, Faults>,
    /// What hubs have received meanwhile; `None` where not all parts know that.
    pub received: Option<Received>,
    /// The time of the slowest part.
    pub seconds: f64,
    /// Until all devices of the slowest part were online.
    pub ready_s: Option<f64>,
    /// Devices online a second, all parts together.
    pub devices_per_second: Option<f64>,
    /// Memory of a connected device, in the dearest part.
    pub device_memory_kb: Option<f64>,
    /// Sums.
    #[serde(skip)]
    pub latencies: BTreeMap<Latency, Times>,
    /// Why the run is none that went well, a sentence each.
    pub problems: Vec<String>,
    /// What is worth knowing.
    pub remarks: Vec<String>,
}

impl Merged {
    /// Adds the parts up. The first says which run it is; those of others are left out, and named, as is what is missing.
    pub fn of(parts: &[(String, Summary)]) -> Option<Self> {
        Self::added(parts, true)
    }

    /// One part alone, of which the others may be anywhere.
    pub fn of_one(part: (String, Summary)) -> Option<Self> {
        Self::added(&[part], false)
    }

    fn added(parts: &[(String, Summary)], is_whole: bool) -> Option<Self> {
        let (_, first) = parts.first()?;
        let mut problems = Vec::new();
        let mut taken: Vec<&(String, Summary)> = Vec::new();
        for part in parts {
            if part.1.run == first.run {
                taken.push(part);
            } else {
                problems.push(format!("{} is of another run than {}: left out", part.0, parts[0].0));
            }
        }
        taken.sort_by_key(|(_, summary)| (summary.span.first, summary.shard));
        let taken = once_each(taken, &mut problems);
        if is_whole {
            problems.extend(gaps(first, &taken));
        }
        let mut merged = Self::sum(first.run.clone(), &taken);
        problems.extend(taken.iter().filter_map(|(name, summary)| ended_early(name, summary)));
        let is_known = !taken.iter().any(|(_, summary)| summary.has_hub_begun_anew());
        problems.extend(merged.lost(is_known));
        problems.extend(Self::uncounted(&taken));
        merged.problems = problems;
        merged.remarks = remarks(&taken, &merged);
        Some(merged)
    }

    fn sum(run: Run, parts: &[&(String, Summary)]) -> Self {
        let mut merged = Self {
            run,
            parts: parts.len(),
            devices: Devices::default(),
            messages: Messages::default(),
            traffic: Traffic::default(),
            faults: BTreeMap::new(),
            received: Some(Received::default()),
            seconds: 0.0,
            ready_s: Some(0.0),
            devices_per_second: None,
            device_memory_kb: None,
            latencies: BTreeMap::new(),
            problems: Vec::new(),
            remarks: Vec::new(),
        };
        let mut rate = 0.0;
        for (_, part) in parts {
            merged.devices.add(&part.devices);
            merged.messages.add(&part.messages);
            merged.traffic.add(&part.traffic);
            for (kind, faults) in &part.faults {
                let sum = merged.faults.entry(*kind).or_default();
                if sum.count == 0 {
                    sum.example.clone_from(&faults.example);
                }
                sum.count = sum.count.saturating_add(faults.count);
            }
            for (latency, times) in &part.latencies {
                merged.latencies.entry(*latency).or_default().add(times);
            }
            merged.received = merged.received.zip(part.hubs.as_ref()).map(|(mut sum, hubs)| {
                sum.add(&hubs.gained());
                sum
            });
            merged.seconds = merged.seconds.max(part.seconds);
            merged.ready_s = merged.ready_s.zip(part.ready_s).map(|(one, other)| one.max(other));
            rate += part
                .ready_s
                .filter(|ready| *ready > 0.0)
                .map_or(0.0, |ready| part.devices.online as f64 / ready);
            let each = part.costs.memory_online_kb.saturating_sub(part.costs.memory_before_kb) as f64
                / part.devices.online.max(1) as f64;
            if part.costs.memory_online_kb > 0 {
                merged.device_memory_kb = Some(merged.device_memory_kb.unwrap_or_default().max(each));
            }
        }
        merged.devices_per_second = (rate > 0.0).then_some(rate);
        merged
    }

    /// What was to come and has not; `is_known` is whether the hubs can tell of all that they have received.
    fn lost(&self, is_known: bool) -> Vec<String> {
        let (devices, messages) = (&self.devices, &self.messages);
        let mut found = Vec::new();
        if devices.taken_over > 0 {
            found.push(format!(
                "{} devices gave up because another client has their identity: was a shard started twice, or does another run \
                 use the same --prefix?",
                devices.taken_over
            ));
        }
        let others = devices.failed.saturating_sub(devices.taken_over);
        if others > 0 {
            found.push(format!("{others} devices gave up: see the faults"));
        }
        let away = devices.planned.saturating_sub(devices.online.max(devices.failed));
        if away > 0 {
            found.push(format!("{away} devices were never online"));
        }
        if messages.acknowledged < messages.sent {
            let count = messages.sent - messages.acknowledged;
            found.push(format!("{count} messages that were sent were not acknowledged"));
        }
        if messages.sent < messages.planned {
            found.push(format!("{} messages were not sent", messages.planned - messages.sent));
        }
        if let Some(received) = self.received {
            if received.distinct < messages.acknowledged && is_known {
                found.push(format!(
                    "hubs have {} fewer messages than they have acknowledged",
                    messages.acknowledged - received.distinct
                ));
            } else if received.distinct > messages.sent {
                found.push(format!(
                    "hubs have {} more messages of these devices than were sent: somebody else has the same identities",
                    received.distinct - messages.sent
                ));
            }
        }
        found
    }

    fn uncounted(parts: &[&(String, Summary)]) -> Vec<String> {
        let mut found = Vec::new();
        for (name, part) in parts {
            if let Some(hubs) = part.hubs.as_ref().filter(|hubs| hubs.restarted) {
                found.push(format!(
                    "{name}: the emulator was started anew meanwhile, and what it had counted before is lost: of {} messages that \
                     were acknowledged it can tell of {}",
                    part.messages.acknowledged, hubs.after.distinct
                ));
            }
            if part.is_count_lost {
                let why = part.uncounted.as_deref().unwrap_or("nobody tells");
                found.push(format!("{name}: what the hubs have received is not known: {why}"));
            }
        }
        found
    }
}

/// Of parts with the same devices the one that came furthest.
fn once_each<'a>(
    parts: Vec<&'a (String, Summary)>,
    problems: &mut Vec<String>,
) -> Vec<&'a (String, Summary)> {
    let mut taken: Vec<&(String, Summary)> = Vec::new();
    for part in parts {
        let same = taken.iter_mut().find(|other| {
            let (one, other) = (part.1.span, other.1.span);
            one.first < other.numbers().end && other.first < one.numbers().end
        });
        let Some(other) = same else {
            taken.push(part);
            continue;
        };
        problems.push(format!(
            "{} and {} are both of {}: it is twice there, and only the better one counts",
            other.0,
            part.0,
            called(&part.1)
        ));
        if rank(&part.1) > rank(&other.1) {
            *other = part;
        }
    }
    taken
}

fn rank(summary: &Summary) -> (bool, u64) {
    (summary.state == State::Complete, summary.messages.acknowledged)
}

/// Which part it is, for people.
fn called(summary: &Summary) -> String {
    match summary.shard {
        Some(shard) => format!("shard {shard}"),
        None => format!("devices {} to {}", summary.span.first, summary.span.numbers().end.saturating_sub(1)),
    }
}

/// Parts that are missing.
fn gaps(first: &Summary, parts: &[&(String, Summary)]) -> Option<String> {
    if let Some(Shard { of, .. }) = first.shard
        && parts.iter().all(|(_, part)| part.shard.is_some_and(|shard| shard.of == of))
    {
        let is_there =
            |index: &u32| parts.iter().any(|(_, part)| part.shard.is_some_and(|shard| shard.index == *index));
        let missing: Vec<_> = (1..=of).filter(|index| !is_there(index)).collect();
        let named: Vec<_> =
            missing.iter().take(MOST_NAMED).map(|index| Shard { index: *index, of }.to_string()).collect();
        let more = missing.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return (!missing.is_empty()).then(|| format!("missing: shard {}{more}", named.join(", ")));
    }
    let mut holes = Vec::new();
    let mut next = if first.run.devices.is_some() { Some(0) } else { None };
    for (_, part) in parts {
        let Span { first, .. } = part.span;
        if let Some(next) = next.filter(|next| *next < first) {
            holes.push(format!("{next} to {}", first - 1));
        }
        next = Some(next.unwrap_or_default().max(part.span.numbers().end));
    }
    if let (Some(next), Some(devices)) = (next, first.run.devices)
        && next < devices
    {
        holes.push(format!("{next} to {}", devices - 1));
    }
    holes.truncate(MOST_NAMED);
    (!holes.is_empty()).then(|| format!("missing: devices {}", holes.join(", ")))
}

fn ended_early(name: &str, summary: &Summary) -> Option<String> {
    let at = summary.written.format("%H:%M:%S");
    let part = called(summary);
    Some(match summary.state {
        State::Complete => return None,
        State::NotBegun => {
            format!("{name}: {part} has not begun: {}", summary.why.as_deref().unwrap_or("nobody says why"))
        }
        State::Running => {
            format!(
                "{name}: {part} was cut off: its last word is of {at} UTC, and {} was killed after it",
                summary.worker
            )
        }
        State::Interrupted => format!("{name}: {part} was stopped at {at} UTC"),
        State::Stalled => {
            format!("{name}: {part} gave up at {at} UTC, as nothing came from any device any more")
        }
    })
}

fn remarks(parts: &[&(String, Summary)], merged: &Merged) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(received) = merged.received.filter(|received| received.duplicates > 0) {
        found.push(format!(
            "hubs have {} messages twice, of {} that were sent again after a connection broke",
            received.duplicates, merged.messages.resent
        ));
    }
    let known = parts.iter().filter(|(_, part)| !part.is_count_lost);
    let mut reasons: Vec<_> = known.filter_map(|(_, part)| part.uncounted.as_deref()).collect();
    reasons.dedup();
    found.extend(reasons.iter().map(|why| format!("what hubs have received is not known: {why}")));
    let ahead = |part: &Summary| part.hubs.as_ref().map(|hubs| hubs.clock_ahead_s);
    let clocks = || parts.iter().filter_map(|(name, part)| Some((name, ahead(part)?)));
    let slowest = clocks().max_by(|one, other| one.1.total_cmp(&other.1));
    let fastest = clocks().min_by(|one, other| one.1.total_cmp(&other.1));
    if let (Some(slowest), Some(fastest)) = (slowest, fastest)
        && (slowest.1 - fastest.1 > SKEW_S || slowest.1.abs() > SKEW_S || fastest.1.abs() > SKEW_S)
    {
        found.push(format!(
            "clocks differ: that of {} is {:.0} s behind the emulator's and that of {} {:.0} s; latencies are measured without \
             clocks, but times of day in summaries don't agree",
            slowest.0, slowest.1, fastest.0, fastest.1
        ));
    }
    found.extend(merged.faults.iter().filter_map(|(kind, faults)| {
        let advice = kind.advice()?;
        Some(format!("{} {}: {advice}", faults.count, kind.name()))
    }));
    found
}

impl Devices {
    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.planned, other.planned),
            (&mut self.provisioned, other.provisioned),
            (&mut self.online, other.online),
            (&mut self.finished, other.finished),
            (&mut self.failed, other.failed),
            (&mut self.taken_over, other.taken_over),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
}

impl Messages {
    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.planned, other.planned),
            (&mut self.sent, other.sent),
            (&mut self.acknowledged, other.acknowledged),
            (&mut self.resent, other.resent),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
}

impl Traffic {
    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.bytes, other.bytes),
            (&mut self.dps_connections, other.dps_connections),
            (&mut self.hub_connections, other.hub_connections),
            (&mut self.lost, other.lost),
            (&mut self.throttled, other.throttled),
            (&mut self.twins, other.twins),
            (&mut self.methods, other.methods),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
}

impl Received {
    /// Adds another hub's.
    pub fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.devices, other.devices),
            (&mut self.received, other.received),
            (&mut self.distinct, other.distinct),
            (&mut self.duplicates, other.duplicates),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::plan::Profile;
    use super::super::summary::{Costs, FORMAT, HubCount};
    use super::*;

    fn summary(shard: Shard) -> Summary {
        let span = shard.span(100);
        let devices = Devices {
            planned: span.count.into(),
            provisioned: span.count.into(),
            online: span.count.into(),
            finished: span.count.into(),
            ..Devices::default()
        };
        let count = u64::from(span.count) * 3;
        Summary {
            format: FORMAT,
            version: "1".into(),
            run: Run {
                seed: 7,
                devices: Some(100),
                prefix: "load-".into(),
                profile: Profile::Steady,
                interval_s: 1.0,
                readings: 3,
            },
            shard: Some(shard),
            span,
            worker: "here, process 1".into(),
            state: State::Complete,
            why: None,
            begun: DateTime::UNIX_EPOCH,
            written: DateTime::UNIX_EPOCH,
            seconds: 10.0,
            ready_s: Some(5.0),
            devices,
            messages: Messages { planned: count, sent: count, acknowledged: count, resent: 0 },
            traffic: Traffic::default(),
            faults: BTreeMap::new(),
            hubs: Some(HubCount {
                after: Received {
                    devices: span.count.into(),
                    received: count,
                    distinct: count,
                    duplicates: 0,
                },
                ..HubCount::default()
            }),
            uncounted: None,
            is_count_lost: false,
            latencies: BTreeMap::new(),
            costs: Costs::default(),
        }
    }

    fn parts(of: u32) -> Vec<(String, Summary)> {
        (1..=of).map(|index| (format!("{index}.json"), summary(Shard { index, of }))).collect()
    }

    fn problems(parts: &[(String, Summary)]) -> String {
        Merged::of(parts).unwrap().problems.join("\n")
    }

    #[test]
    fn a_run_that_went_well_has_no_problem_and_adds_up() {
        let merged = Merged::of(&parts(3)).unwrap();
        assert_eq!((merged.problems.len(), merged.remarks.len()), (0, 0), "{merged:?}");
        assert_eq!((merged.devices.finished, merged.messages.acknowledged), (100, 300));
        assert_eq!(merged.received.unwrap().distinct, 300);
        assert_eq!(merged.devices_per_second.map(f64::round), Some(20.0));
    }

    #[test]
    fn what_is_missing_twice_or_of_another_run_is_named() {
        let mut all = parts(4);
        all.remove(2);
        assert_eq!(problems(&all), "missing: shard 3/4");
        all.push(("other.json".into(), summary(Shard { index: 1, of: 4 })));
        let found = problems(&all);
        assert!(
            found.contains("1.json and other.json are both of shard 1/4")
                && found.contains("missing: shard 3/4"),
            "{found}"
        );
        all.truncate(3);
        all[1].1.run.seed = 8;
        let found = problems(&all);
        assert!(
            found.contains("2.json is of another run than 1.json")
                && found.contains("missing: shard 2/4, 3/4"),
            "{found}"
        );
        // Without shards the numbers of devices tell.
        let mut all = parts(4);
        all.remove(1);
        for (_, part) in &mut all {
            part.shard = None;
        }
        assert_eq!(problems(&all), "missing: devices 25 to 49");
    }

    #[test]
    fn what_is_lost_or_was_cut_off_is_told() {
        let mut all = parts(2);
        all[0].1.state = State::Running;
        all[1].1.hubs.as_mut().unwrap().after.distinct -= 2;
        let found = problems(&all);
        assert!(found.contains("1.json: shard 1/2 was cut off: its last word is of 00:00:00 UTC"), "{found}");
        assert!(found.contains("hubs have 2 fewer messages than they have acknowledged"), "{found}");
        all[1].1.hubs.as_mut().unwrap().restarted = true;
        let found = problems(&all);
        assert!(
            found.contains("2.json: the emulator was started anew meanwhile")
                && found.contains("of 150 messages that were acknowledged it can tell of 148")
                && !found.contains("fewer messages"),
            "{found}"
        );
        let mut all = parts(1);
        let one = &mut all[0].1;
        (one.devices.failed, one.devices.taken_over, one.messages.sent) = (3, 2, 299);
        one.hubs.as_mut().unwrap().after.distinct = 310;
        one.hubs.as_mut().unwrap().clock_ahead_s = -30.0;
        one.messages.acknowledged = 290;
        let found = problems(&all);
        for sentence in [
            "2 devices gave up because another client has their identity",
            "1 devices gave up: see the faults",
            "9 messages that were sent were not acknowledged",
            "1 messages were not sent",
            "hubs have 11 more messages",
        ] {
            assert!(found.contains(sentence), "{found}");
        }
        assert!(Merged::of(&all).unwrap().remarks[0].starts_with("clocks differ"));
    }
}
