//! `--story`: voyages with everything that a shipper would set, and told as he would hear it.
//!
//! Each container gets the alarms of its goods, its ports as places, a number, and evidence; its trip is begun, and ended with the
//! voyage or when somebody asks for the end. Then its report is told, and what `verify` says of all that the hub has received.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracker_emulator::{DirectMethod, EmulatorBuilder};
use tracker_sensors::simulated::Voyage;

use super::arguments::SimulateArgs;
use crate::lab::screen::Screen;
use crate::lab::{Cloud, record, trip_words};
use crate::settings::{ContainerNumber, Property};
use crate::verify;

/// More of them nobody can follow.
const MOST_DEVICES: u16 = 20;
/// What the hub has received, below the emulator's directory.
const RECORD: &str = "received.jsonl";
/// A device that works has connected by then, and has answered its twin.
const SET_UP_WITHIN: Duration = Duration::from_mins(1);
/// The end of the trips is waited for so long, and then the signatures.
const END_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A port is as large as this, in metres.
const PORT_M: u32 = 5000;
/// With three intervals nothing was missed.
const GAP_INTERVALS: f64 = 3.0;
/// Seconds without a position that are an alarm: a receiver needs hours for its first fix where hours pass in a second.
const GPS_GONE_S: u32 = 172_800;
/// Seconds: longer than anybody looks on.
const LONGEST_S: f64 = 1e9;
/// Seconds, that a trip takes for its `gapAfter`.
const GAP_AFTER: (f64, f64) = (900.0, 604_800.0);

/// What a shipper wishes for one container.
pub(super) struct Wishes {
    desired: Value,
    trip: Value,
    /// How long the voyage takes here.
    pub(super) takes: Duration,
}

impl Wishes {
    /// For the container with this number, from 0.
    pub(super) fn new(args: &SimulateArgs, voyage: &Voyage, index: u16) -> Self {
        let mut fences: Vec<Value> = Vec::new();
        for (name, position) in voyage.stops() {
            // Names of fences are unique; some voyages stop twice in one town.
            if fences.iter().all(|fence| fence["properties"]["name"] != name) {
                let geometry =
                    json!({"type": "Point", "coordinates": [position.longitude, position.latitude]});
                let properties = json!({"name": name, "radius": PORT_M});
                fences.push(json!({"type": "Feature", "properties": properties, "geometry": geometry}));
            }
        }
        let desired = json!({
            "alarms": alarms(voyage), "geofences": fences, "containerNumber": number(index), "evidence": true,
        });
        let interval_s = f64::from(args.interval()) * args.speed * 3600.0;
        let gap_after = (GAP_INTERVALS * interval_s).clamp(GAP_AFTER.0, GAP_AFTER.1) as u64;
        let trip = json!({"trip": voyage.name(), "gapAfter": gap_after});
        Self {
            desired,
            trip,
            takes: Duration::from_secs_f64((voyage.length_h() / args.speed).min(LONGEST_S)),
        }
    }
}

/// Alarms for the goods of a voyage: a profile where there is one.
fn alarms(voyage: &Voyage) -> Value {
    let built_in = json!({"sensorFailed": true, "gpsGone": {"delay": GPS_GONE_S}});
    let mut alarms = match (profile(voyage), voyage.setpoint_c()) {
        (Some(profile), _) => json!({ "profile": profile }),
        (None, Some(set_c)) => {
            // The air that returns from the goods is a degree warmer than what is set.
            let warning = json!({"low": set_c - 2.0, "high": set_c + 3.0, "delay": 3600});
            let bound = json!({"field": "temperature", "warning": warning, "hysteresis": 0.5, "clear": 600});
            json!({"bounds": {"temperature": bound}})
        }
        (None, None) => json!({"profile": "dry"}),
    };
    for (name, value) in built_in.as_object().into_iter().flatten() {
        alarms[name] = value.clone();
    }
    alarms
}

fn profile(voyage: &Voyage) -> Option<&'static str> {
    ["gouda", "cheddar", "cherries"].into_iter().find(|goods| voyage.name().contains(goods))
}

/// A container's number with its check digit, by ISO 6346.
fn number(index: u16) -> String {
    let numbers = (0..10).map(|digit| format!("CHEU{:06}{digit}", 100_001 + u32::from(index)));
    numbers.into_iter().find(|number| ContainerNumber::read(&json!(number)).is_ok()).unwrap_or_default()
}

/// The story of a fleet.
pub(super) struct Story {
    cloud: Arc<Cloud>,
    screen: Screen,
    /// Where the record goes in the end.
    kept: PathBuf,
    devices: Vec<String>,
    begun: JoinSet<()>,
    /// When the last voyage is over, of those that have begun.
    over: Option<Instant>,
}

impl Story {
    /// Whether the options go together.
    pub(super) fn check(args: &SimulateArgs) -> anyhow::Result<()> {
        if args.story && args.devices > MOST_DEVICES {
            bail!("--story follows {MOST_DEVICES} containers at the most, not {}", args.devices);
        }
        Ok(())
    }

    /// The emulator, which may write the record below this directory.
    pub(super) fn emulator(directory: &Path) -> EmulatorBuilder {
        Cloud::builder().files_directory(directory)
    }

    /// Everything that devices say goes to `events`, and into the record, which is kept at `kept` in the end if somebody wants it.
    pub(super) fn new(cloud: Arc<Cloud>, screen: Screen, kept: Option<&Path>) -> anyhow::Result<Self> {
        let kept = kept.map_or_else(|| cloud.directory().join("record.jsonl"), PathBuf::from);
        // Nobody is to wait for the end of a voyage to be told that.
        let opened = OpenOptions::new().append(true).create(true).open(&kept);
        opened.with_context(|| format!("can't write {}", kept.display()))?;
        cloud.hub.set_routing(record::routing(RECORD)?)?;
        Ok(Self { cloud, screen, kept, devices: Vec::new(), begun: JoinSet::new(), over: None })
    }

    /// Sets what is wished for a container, once it is there, and begins its trip.
    pub(super) fn begin(&mut self, id: &str, wishes: Wishes) {
        self.devices.push(id.into());
        self.over = self.over.max(Some(Instant::now() + wishes.takes));
        let (cloud, screen, device) = (self.cloud.clone(), self.screen, id.to_owned());
        self.begun.spawn(async move {
            let set_up = timeout(SET_UP_WITHIN, set_up(&cloud, &device, wishes));
            let why = match set_up.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("{error:#}"),
                Err(_elapsed) => format!("it has not answered within {} s", SET_UP_WITHIN.as_secs()),
            };
            screen.note(
                "story",
                &format!("{device} is without its alarms or its trip: {why}"),
                json!({"device": device}),
            );
        });
    }

    /// Waits until the last of `devices` voyages is over.
    pub(super) async fn is_over(&self, devices: u16) {
        match self.over.filter(|_| self.devices.len() == usize::from(devices)) {
            Some(over) => tokio::time::sleep_until(over).await,
            None => std::future::pending().await,
        }
    }

    /// Ends all trips, and waits for their signatures, but not for long.
    pub(super) async fn end(&mut self) {
        self.begun.abort_all();
        let mut ending = JoinSet::new();
        for device in &self.devices {
            let (hub, device, screen) = (self.cloud.hub.clone(), device.clone(), self.screen);
            ending.spawn(async move {
                let answer = hub.invoke_method(&device, "endTrip", Value::Null, END_WITHIN).await;
                let report = answer.ok().filter(|answer| answer.status == 200)?.payload?;
                let trip = report["trip"].as_str().unwrap_or_default();
                let text = format!("{device}: the trip {trip} is over: {}", trip_words::sentence(&report));
                screen.note("trip", &text, json!({"device": device, "report": report}));
                Some(device)
            });
        }
        let ended: Vec<String> = ending.join_all().await.into_iter().flatten().collect();
        let record = self.cloud.directory().join(RECORD);
        let signed = async {
            loop {
                let lines = record::lines(&record);
                if ended.iter().all(|device| record::is_signed(&lines, device)) {
                    return;
                }
                sleep(4 * LOOK_EVERY).await;
            }
        };
        let _ = timeout(END_WITHIN, signed).await;
    }

    /// Keeps the record, and tells what `verify` says of it. What does not fit is an error.
    pub(super) fn judge(self) -> anyhow::Result<()> {
        let lines = record::lines(&self.cloud.directory().join(RECORD));
        record::write(&self.kept, &lines).with_context(|| format!("can't write {}", self.kept.display()))?;
        if lines.is_empty() {
            return Ok(());
        }
        let mut wrong = 0;
        for judgement in verify::judgements(&[self.kept], &self.cloud.device_root())? {
            wrong += usize::from(!judgement.details["fault"].is_null());
            self.screen.note("verified", &judgement.in_short().join("\n  "), judgement.details);
        }
        if wrong > 0 {
            bail!("what the hub has received of {wrong} containers is not what they have sent");
        }
        Ok(())
    }
}

async fn set_up(cloud: &Cloud, device: &str, wishes: Wishes) -> anyhow::Result<()> {
    let Wishes { desired, trip, .. } = wishes;
    while cloud.hub.device(device).is_err() {
        sleep(LOOK_EVERY).await;
    }
    cloud.hub.update_twin_desired(device, desired.clone())?;
    for name in desired.as_object().into_iter().flat_map(serde_json::Map::keys) {
        loop {
            let answer = cloud.twin(device).unwrap_or_default()["properties"]["reported"][name].take();
            match answer["ac"].as_i64() {
                Some(200) => break,
                Some(400..) => bail!("{name}: {}", answer["ad"].as_str().unwrap_or_default()),
                _ => sleep(LOOK_EVERY).await,
            }
        }
    }
    let method = DirectMethod {
        method_name: "startTrip".into(),
        payload: Some(trip),
        response_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
    };
    let answer = cloud.hub.invoke(device, &method).await?;
    if answer.status != 200 {
        bail!("startTrip: {}", answer.payload.unwrap_or_default());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::clock::system_time;
    use crate::settings::{Alarms, Geofences};

    #[test]
    fn what_is_wished_for_every_voyage_is_taken() {
        for (index, name) in Voyage::names().enumerate() {
            let voyage = Voyage::named(name, system_time(), 1).unwrap();
            let args = SimulateArgs { story: true, ..SimulateArgs::default() };
            let wishes = Wishes::new(&args, &voyage, index as u16);
            let taken = |name: &str| wishes.desired[name].clone();
            assert!(Alarms::read(&taken("alarms")).is_ok(), "{name}: {:?}", Alarms::read(&taken("alarms")));
            assert!(Geofences::read(&taken("geofences")).is_ok(), "{name}");
            assert!(ContainerNumber::read(&taken("containerNumber")).unwrap().is_some(), "{name}");
            let is_dry = taken("alarms")["profile"] == "dry";
            assert_eq!(is_dry, voyage.setpoint_c().is_none(), "{name}");
        }
    }
}
