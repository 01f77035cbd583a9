//! What the hubs say that they have received of this program's devices, before the first and after the last.

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::places::Witness;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::{Clients, hubs_by_login};
use crate::lab::load::{HubCount, Received};
use crate::platform::clock::system_time;

/// Asks the hubs of all places.
#[derive(Debug)]
pub(super) struct Counts {
    witnesses: Vec<Witness>,
    /// The first and the last device.
    names: [String; 2],
    before: Answer,
}

/// What all of them say.
#[derive(Debug, Clone, Default)]
struct Answer {
    received: Received,
    /// Since when each of them counts.
    since: Vec<String>,
    clock_ahead_s: f64,
}

impl Counts {
    /// Asks before the first device; the text says why nobody can be asked.
    pub(super) fn begin(
        witnesses: &[Witness],
        names: [String; 2],
    ) -> anyhow::Result<Result<Self, &'static str>> {
        let nobody = witnesses.iter().find_map(|witness| match witness {
            Witness::Nobody(why) => Some(*why),
            Witness::Directory(_) | Witness::Login { .. } => None,
        });
        if let Some(why) = nobody {
            return Ok(Err(why));
        }
        let mut counts = Self { witnesses: witnesses.to_vec(), names, before: Answer::default() };
        counts.before = counts.ask()?;
        Ok(Ok(counts))
    }

    /// Asks again.
    pub(super) fn end(&self) -> anyhow::Result<HubCount> {
        let after = self.ask()?;
        Ok(HubCount {
            before: self.before.received,
            after: after.received,
            restarted: after.since != self.before.since,
            clock_ahead_s: after.clock_ahead_s,
        })
    }

    fn ask(&self) -> anyhow::Result<Answer> {
        let mut sum = Answer::default();
        for witness in &self.witnesses {
            for hub in hubs(witness)? {
                self.add(&hub, &mut sum)
                    .with_context(|| format!("{} does not say what it has received", hub.name()))?;
            }
        }
        Ok(sum)
    }

    fn add(&self, hub: &Client, sum: &mut Answer) -> anyhow::Result<()> {
        let [from, to] = &self.names;
        let call = Call::get(&["statistics", "telemetry"]).parameter("from", from).parameter("to", to);
        let asked = system_time();
        let answer = hub.call(call)?;
        let answered = system_time();
        let count = |name: &str| {
            answer[name]
                .as_u64()
                .with_context(|| format!("its answer has no {name}: is it an older emulator?"))
        };
        sum.received.add(&Received {
            devices: count("devices")?,
            received: count("received")?,
            distinct: count("distinctMessageIds")?,
            duplicates: count("duplicates")?,
        });
        sum.since.extend(answer["since"].as_str().map(str::to_owned));
        if let Some(now) = moment(&answer["now"]) {
            let ahead = ahead(now, asked, answered);
            if ahead.abs() > sum.clock_ahead_s.abs() {
                sum.clock_ahead_s = ahead;
            }
        }
        Ok(())
    }
}

fn hubs(witness: &Witness) -> anyhow::Result<Vec<Client>> {
    match witness {
        Witness::Directory(directory) => {
            Ok(Clients::of_emulator(directory)?.hubs.into_iter().map(|(_, hub)| hub).collect())
        }
        Witness::Login { login, server_ca } => hubs_by_login(login, server_ca),
        Witness::Nobody(_) => Ok(Vec::new()),
    }
}

/// By how many seconds a clock is ahead for sure that was `now` some time between the question and the answer.
fn ahead(now: DateTime<Utc>, asked: DateTime<Utc>, answered: DateTime<Utc>) -> f64 {
    let nearest = now.clamp(asked.min(answered), asked.max(answered));
    (now - nearest).as_seconds_f64()
}

fn moment(value: &Value) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(value.as_str()?).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_proof_of_a_wrong_clock() {
        let at = |seconds: i64| DateTime::from_timestamp(1_000 + seconds, 0).unwrap();
        for (now, expected) in [(0, 0.0), (8, 0.0), (20, 10.0), (-30, -30.0)] {
            let found: f64 = ahead(at(now), at(0), at(10));
            assert!((found - expected).abs() < 1e-6, "{now}: {found}");
        }
    }
}
