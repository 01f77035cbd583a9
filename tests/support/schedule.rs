//! Schedules of faults, the same for the same seed on every machine.

use std::time::Duration;

use container_tracker::lab::Cloud;
use tokio::time::sleep;
use tracker_emulator::{FaultKind, FaultyService};

use super::proxy::Weather;
use super::scene::{SECOND_HUB, Scene};

/// A device that takes longer to come back has to bear the next trouble as well.
const RECOVERY: Duration = Duration::from_secs(5);

/// `SplitMix64`: small, and never different in a newer version of a library.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `0` to `end - 1`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn between_ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    Network(Weather),
    /// Every hub misbehaves.
    Hub(FaultKind, Option<u32>),
    /// The hub has deleted the device, and DPS misbehaves.
    Dps(FaultKind, Option<u32>),
    HubDeletesDevice,
    HubDropsDevice,
    MovesTo(&'static str),
    Disabled,
}

impl Trouble {
    pub fn random(chance: &mut Chance) -> Self {
        let ms = Duration::from_millis;
        let times = chance.one_of(&[Some(1), Some(3), None]);
        match chance.below(25) {
            0..=2 => Self::Network(Weather::BlackHole),
            24 => Self::Network(Weather::HalfOpen),
            3 => Self::Network(Weather::Reset),
            4 => Self::Network(Weather::Cut),
            5 => Self::Network(Weather::Refuse),
            6 => Self::Network(Weather::Stalled),
            7 => Self::Network(Weather::Drip { bytes: 16, every: ms(5) }),
            8 | 9 => {
                let (latency, stall) = (chance.between_ms(10, 250), chance.between_ms(50, 400));
                Self::Network(Weather::Slow { latency, stall_every: 2 + chance.below(6), stall })
            }
            10 | 11 => Self::Hub(FaultKind::WithholdPubAck, times),
            12 => Self::Hub(FaultKind::DelayPubAck { delay: chance.between_ms(100, 1500) }, None),
            13 => Self::Hub(FaultKind::DuplicatePubAck, None),
            14 => Self::Hub(FaultKind::RefuseConnect { code: chance.one_of(&[2, 3, 3, 5]) }, times),
            15 => Self::Hub(FaultKind::BlackHole, None),
            16 => Self::Hub(chance.one_of(&[FaultKind::DropConnection, FaultKind::GarbageBody]), times),
            17 => {
                let retry_after = chance.one_of(&[None, Some(Duration::from_secs(1))]);
                let status = chance.one_of(&[429, 500, 503]);
                Self::Dps(FaultKind::DpsError { status, retry_after }, chance.one_of(&[Some(1), None]))
            }
            18 => Self::Dps(FaultKind::NeverAssign, None),
            19 => Self::Dps(
                chance.one_of(&[FaultKind::GarbageBody, FaultKind::RefuseConnect { code: 3 }]),
                times,
            ),
            20 => Self::Dps(chance.one_of(&[FaultKind::DropConnection, FaultKind::BlackHole]), times),
            21 => chance.one_of(&[Self::HubDeletesDevice, Self::HubDropsDevice]),
            22 => Self::MovesTo(chance.one_of(&[Cloud::HUB, SECOND_HUB])),
            _ => Self::Disabled,
        }
    }

    pub fn begin(&self, scene: &Scene) {
        match self {
            Self::Network(weather) => scene.proxy.set(*weather),
            Self::Hub(kind, times) => scene.inject(FaultyService::AnyHub, kind.clone(), *times),
            Self::Dps(kind, times) => {
                scene.inject(FaultyService::Dps, kind.clone(), *times);
                scene.delete_device();
            }
            Self::HubDeletesDevice => scene.delete_device(),
            Self::HubDropsDevice => scene.drop_connection(),
            Self::MovesTo(hub) => {
                scene.assign_to(hub);
                scene.delete_device();
            }
            Self::Disabled => {
                scene.disable();
                scene.delete_device();
            }
        }
    }
}

/// One trouble, and what follows.
#[derive(Debug, Clone)]
pub struct Step {
    pub trouble: Trouble,
    pub lasts: Duration,
    /// The next trouble comes on top of this one.
    pub stays: bool,
    /// The next trouble does not come before the device is online again.
    pub recovers: bool,
    pub pause: Duration,
}

pub fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut chance = Chance::new(seed);
    let mut step = || Step {
        trouble: Trouble::random(&mut chance),
        lasts: chance.between_ms(50, 3000),
        stays: chance.below(5) == 0,
        recovers: chance.below(4) > 0,
        pause: chance.between_ms(0, 800),
    };
    (0..count).map(|_| step()).collect()
}

/// Plays a schedule to its end, with this weather between the troubles; everything is healed afterwards.
pub async fn play(scene: &Scene, usual: Weather, steps: &[Step]) {
    scene.proxy.set(usual);
    for step in steps {
        step.trouble.begin(scene);
        sleep(step.lasts).await;
        if !step.stays {
            scene.heal();
            scene.proxy.set(usual);
            if step.recovers {
                scene.recovered(RECOVERY).await;
            }
            sleep(step.pause).await;
        }
    }
    scene.heal();
}
