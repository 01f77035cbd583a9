//! What this program plays: the fleet, its part of it, and where it says how that went.

use std::path::PathBuf;

use anyhow::bail;

use super::arguments::LoadArgs;
use super::shard;
use crate::lab::load::{MOST_DEVICES, Plan, Run, Shard, Span};

/// Devices, where nobody says how many.
const DEVICES: u32 = 100;

/// A part.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) plan: Plan,
    pub(super) run: Run,
    pub(super) shard: Option<Shard>,
    pub(super) span: Span,
    /// Where the summary is written.
    pub(super) summary: PathBuf,
}

impl Part {
    /// As the options say; `there` is how many devices have certificates already.
    pub(super) fn of(args: &LoadArgs, there: Option<u32>) -> anyhow::Result<Self> {
        let shard = match args.first {
            Some(_) => None,
            None => shard::find(args.shard, args.shards, |name| std::env::var(name).ok())?,
        };
        let first = args.first.unwrap_or_default();
        let usual = there.map_or(DEVICES, |there| there.saturating_sub(first));
        let devices = args.devices.unwrap_or(usual);
        let end = u64::from(first) + u64::from(devices);
        if end > u64::from(there.unwrap_or(MOST_DEVICES)) {
            match there {
                Some(there) => {
                    bail!("devices {first} to {} are wanted, and --identities has {there}", end - 1)
                }
                None => bail!("--first and --devices lead beyond device {MOST_DEVICES}"),
            }
        }
        let span = shard.map_or(Span { first, count: devices }, |shard| shard.span(devices));
        let plan = Plan::new(args.seed, args.prefix.clone(), args.profile, args.interval, args.duration);
        let run = Run {
            seed: args.seed,
            devices: args.first.is_none().then_some(devices),
            prefix: args.prefix.clone(),
            profile: args.profile,
            interval_s: args.interval.as_secs_f64(),
            readings: plan.slots,
        };
        let summary = args.summary.clone().unwrap_or_else(|| match (shard, args.first) {
            (Some(Shard { index, of }), _) => format!("load-{index}-of-{of}.json").into(),
            (None, Some(first)) => format!("load-from-{first}.json").into(),
            (None, None) => "load.json".into(),
        });
        if span.count == 0 {
            bail!("{devices} devices are fewer than there are shards: none is left for this one");
        }
        Ok(Self { plan, run, shard, span, summary })
    }

    /// Which one it is, for people.
    pub(super) fn called(&self) -> String {
        let Span { first, count } = self.span;
        let devices = format!("devices {first} to {}", first.saturating_add(count).saturating_sub(1));
        self.shard.map_or_else(|| devices.clone(), |shard| format!("shard {shard}, {devices}"))
    }
}
