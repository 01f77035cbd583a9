//! One part of the fleet, from the options to the verdict.

use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};

use super::arguments::LoadArgs;
use super::counts::Counts;
use super::enrolled::Enrolled;
use super::leafs::{Made, Written};
use super::methods;
use super::part::Part;
use super::places::{Witness, places};
use super::progress::Progress;
use super::report;
use crate::cli::cloud::target::Clients;
use crate::cli::pki::maker::Maker;
use crate::commands::log::told;
use crate::commands::signals::asked_to_stop;
use crate::lab::load::{
    self, Costs, Devices, FORMAT, HubCount, Leafs, Limits, Merged, Messages, Order, Shared, State, Summary,
    Terms, Traffic,
};
use crate::platform::clock::system_time;
use crate::platform::stdout::line;

/// Azure's own bound of registrations.
const AZURES_A_MINUTE: f64 = 1000.0;
/// Looked at so often.
const FRAME: Duration = Duration::from_millis(200);
/// Between two summaries of what goes on.
const SUMMARIES: Duration = Duration::from_secs(10);
/// Without any news it is over after this and so many intervals, of which a voyage lets five pass.
const PATIENCE: Duration = Duration::from_mins(1);
const INTERVALS: u32 = 6;

/// Plays the part.
pub(super) fn run(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    let written = args.identities.as_deref().map(Written::open).transpose()?;
    let part = Part::of(args, written.as_ref().map(Written::count))?;
    let begun = system_time();
    let memory = load::memory_kb().unwrap_or_default().0;
    // It is there before anything else, so that whoever looks for it finds the truth whatever happens.
    blank(&part, begun, State::Running, None).write(&part.summary)?;
    let ready = match Ready::new(args, &part, written) {
        Ok(ready) => ready,
        Err(error) => {
            blank(&part, begun, State::NotBegun, Some(told(&error))).write(&part.summary)?;
            return Err(error);
        }
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no async runtime")?;
    let record = Record { part: &part, begun, since: Instant::now(), ready: None, memory: (memory, 0) };
    let merged = runtime.block_on(play(args, &ready, record));
    // A name that is being looked up must not hold up the end.
    runtime.shutdown_background();
    let (merged, is_json) = merged?;
    let text = if is_json {
        let mut value = report::json(&merged)?;
        value["event"] = "result".into();
        value.to_string()
    } else {
        report::text(&merged)
    };
    line(&text);
    Ok(if merged.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that is needed before the first device.
struct Ready {
    shared: Arc<Shared>,
    witnesses: Vec<Witness>,
    counts: Result<Counts, &'static str>,
    remarks: Vec<String>,
    /// Until the end.
    _enrolled: Option<Enrolled>,
}

impl Ready {
    fn new(args: &LoadArgs, part: &Part, written: Option<Written>) -> anyhow::Result<Self> {
        let (places, witnesses) = places(args)?;
        let sources = args.source.clone().unwrap_or_default();
        let count = u64::from(part.span.count);
        let at_one = count.div_ceil(places.len().max(1) as u64);
        let shortages = Limits::of_this_program().check(count, at_one, sources.count() as u64);
        if !shortages.fatal.is_empty() {
            bail!("{}", shortages.fatal.join("; "));
        }
        let (leafs, enrolled) = leafs(args, part, written, &witnesses)?;
        let of = part.shard.map_or(1, |shard| shard.of);
        let whole = args.registrations_per_minute.map(f64::from);
        let whole = whole.or_else(|| args.config.is_some().then_some(AZURES_A_MINUTE));
        let shared = Shared::new(Order {
            plan: part.plan.clone(),
            span: part.span,
            places,
            leafs,
            sources,
            at_once: args.at_once.into(),
            registrations_a_minute: whole.map(|whole| whole / f64::from(of)),
        });
        let numbers = part.span.numbers();
        let names = [shared.name(numbers.start), shared.name(numbers.end - 1)];
        let counts = Counts::begin(&witnesses, names)?;
        Ok(Self { shared, witnesses, counts, remarks: shortages.doubtful, _enrolled: enrolled })
    }
}

/// Who the devices are. Where no CA is named, there is one for this run.
fn leafs(
    args: &LoadArgs,
    part: &Part,
    written: Option<Written>,
    witnesses: &[Witness],
) -> anyhow::Result<(Box<dyn Leafs>, Option<Enrolled>)> {
    if let Some(written) = written {
        return Ok((Box::new(written), None));
    }
    if let (Some(certificate), Some(key)) = (&args.ca, &args.ca_key) {
        let directory = part.summary.parent().filter(|parent| *parent != Path::new(""));
        let maker = Maker::open(certificate, key, directory.unwrap_or(Path::new(".")))?;
        return Ok((Box::new(Made(maker)), None));
    }
    let mut directories = Vec::new();
    for witness in witnesses {
        let Witness::Directory(directory) = witness else {
            bail!(
                "who are the devices? Name the CA that signs them with --ca and --ca-key, enrolled there, or their certificates with \
                 --identities"
            );
        };
        directories.push(directory);
    }
    let id = format!("load-{:08x}", rand::random::<u32>());
    let (maker, certificate) = Maker::with_new_ca(&format!("CA of {id}"))?;
    let mut enrolled = Enrolled::new(id);
    for directory in directories {
        let dps = Clients::of_emulator(directory)?.dps.context("the emulator has no provisioning service")?;
        enrolled.enroll(dps, &certificate)?;
    }
    Ok((Box::new(Made(maker)), Some(enrolled)))
}

/// Plays until it is over, and says how it went.
async fn play(args: &LoadArgs, ready: &Ready, mut record: Record<'_>) -> anyhow::Result<(Merged, bool)> {
    let shared = &ready.shared;
    let mut progress = Progress::new(args.json);
    let stopped = asked_to_stop();
    if let Some(address) = args.metrics {
        let at = load::serve(address, shared).await?;
        progress.say("metrics", &format!("counts for Prometheus at http://{at}/metrics"));
    }
    progress.say("begin", &format!("{} of {}…", record.part.called(), record.part.run.prefix));
    for remark in &ready.remarks {
        progress.say("doubt", remark);
    }
    methods::begin(shared, &ready.witnesses, args.methods)?;
    let terms = Terms {
        ramp: args.ramp,
        happens_after: args.duration / 2,
        patience: PATIENCE + args.interval * INTERVALS,
    };
    let mut playing = pin!(load::play(shared, terms, stopped));
    let mut ticks = tokio::time::interval(FRAME);
    let mut written = Instant::now();
    let (online, state) = loop {
        tokio::select! {
            done = &mut playing => break done,
            _ = ticks.tick() => {
                record.look(shared);
                progress.tell(shared);
                if written.elapsed() >= SUMMARIES {
                    written = Instant::now();
                    // The last one is what counts; until then an older one is better than none.
                    if let Err(error) = record.summary(shared, State::Running).write(&record.part.summary) {
                        progress.say("summary", &told(&error));
                    }
                }
            }
        }
    };
    progress.clear();
    record.ready = online.or(record.ready);
    let mut summary = record.summary(shared, state);
    match &ready.counts {
        Err(why) => summary.uncounted = Some((*why).into()),
        Ok(counts) => match counts.end() {
            Ok(count) => summary.hubs = Some(count),
            Err(error) => {
                (summary.uncounted, summary.is_count_lost) = (Some(told(&error)), true);
            }
        },
    }
    summary.write(&record.part.summary)?;
    let name = record.part.summary.display().to_string();
    let merged = Merged::of_one((name, summary)).context("there is one part")?;
    Ok((merged, progress.is_json()))
}

/// How it goes.
struct Record<'a> {
    part: &'a Part,
    begun: DateTime<Utc>,
    since: Instant,
    ready: Option<Duration>,
    /// Kilobytes before the first device, and when all were online.
    memory: (u64, u64),
}

impl Record<'_> {
    /// Notes what is so at one moment only.
    fn look(&mut self, shared: &Shared) {
        let tally = &shared.tally;
        if self.ready.is_none() && tally.met.get() + tally.failed.get() >= u64::from(shared.span.count) {
            self.ready = Some(self.since.elapsed());
            self.memory.1 = load::memory_kb().unwrap_or_default().0;
        }
    }

    fn summary(&self, shared: &Shared, state: State) -> Summary {
        let (now, most) = load::memory_kb().unwrap_or_default();
        let costs = Costs {
            memory_before_kb: self.memory.0,
            memory_online_kb: if self.memory.1 == 0 { now } else { self.memory.1 },
            memory_most_kb: most,
            processor_s: load::processor_time().unwrap_or_default().as_secs_f64(),
        };
        Summary {
            seconds: self.since.elapsed().as_secs_f64(),
            ready_s: self.ready.map(|ready| ready.as_secs_f64()),
            devices: Devices::of(shared),
            messages: Messages::of(shared),
            traffic: Traffic::of(shared),
            faults: shared.tally.faults(),
            latencies: shared.tally.times(),
            costs,
            ..blank(self.part, self.begun, state, None)
        }
    }
}

/// A summary of nothing yet.
fn blank(part: &Part, begun: DateTime<Utc>, state: State, why: Option<String>) -> Summary {
    Summary {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        run: part.run.clone(),
        shard: part.shard,
        span: part.span,
        worker: format!("process {}{}", std::process::id(), on_host()),
        state,
        why,
        begun,
        written: system_time(),
        seconds: 0.0,
        ready_s: None,
        devices: Devices { planned: part.span.count.into(), ..Devices::default() },
        messages: Messages { planned: part.plan.messages_of(part.span), ..Messages::default() },
        traffic: Traffic::default(),
        faults: std::collections::BTreeMap::new(),
        hubs: None::<HubCount>,
        uncounted: None,
        is_count_lost: false,
        latencies: std::collections::BTreeMap::new(),
        costs: Costs::default(),
    }
}

fn on_host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = tracker_protocol::printable(name.trim());
    if name.is_empty() { String::new() } else { format!(" on {name}") }
}
