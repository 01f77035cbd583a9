//! A journey with its hours: when it moves, rests and waits. Different seeds travel the same route on
//! different days.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::route::{Mode, Route, Stage};
use super::track::Point;

/// A stretch of time in which the container does one thing.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// Hours since the start of the voyage.
    pub(super) begins_h: f64,
    pub(super) ends_h: f64,
    /// Index of the stage in the route.
    pub(super) stage: usize,
    pub(super) activity: Activity,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Activity {
    /// At a stop.
    Dwelling,
    /// Under way on the leg.
    Moving { from_km: f64, to_km: f64 },
    /// Standing still on the leg: a driver's rest, a train in a yard.
    Resting { at_km: f64 },
}

#[derive(Debug, Clone)]
pub(super) struct Itinerary {
    segments: Vec<Segment>,
}

/// Where the container is in its journey.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whereabouts<'a> {
    pub(super) segment: &'a Segment,
    pub(super) point: Point,
    pub(super) speed_kmh: f64,
    pub(super) course_deg: Option<f64>,
}

impl Itinerary {
    pub(super) fn new(route: &Route, random: &mut ChaCha8Rng) -> Self {
        let mut itinerary = Self { segments: Vec::new() };
        for (index, stage) in route.stages.iter().enumerate() {
            match stage {
                Stage::Stop { dwell_h, .. } => {
                    // The story begins somewhere within the loading.
                    let share = if index == 0 { 0.1..0.9 } else { 0.7..1.3 };
                    itinerary.push(index, dwell_h * random.random_range(share), Activity::Dwelling);
                }
                Stage::Leg { mode, speed_kmh, track, .. } => {
                    let speed_kmh = speed_kmh * random.random_range(0.92..1.08);
                    itinerary.push_leg(index, *mode, speed_kmh, track.length_km(), random);
                }
            }
        }
        itinerary
    }

    pub(super) fn length_h(&self) -> f64 {
        self.segments.last().map_or(0.0, |segment| segment.ends_h)
    }

    pub(super) fn stage_begins_h(&self, stage: usize) -> f64 {
        let first = self.segments.partition_point(|segment| segment.stage < stage);
        self.segments.get(first).map_or(self.length_h(), |segment| segment.begins_h)
    }

    pub(super) fn stage_ends_h(&self, stage: usize) -> f64 {
        self.stage_begins_h(stage + 1)
    }

    pub(super) fn at<'a>(&'a self, route: &Route, hours: f64) -> Whereabouts<'a> {
        let index = self.segments.partition_point(|segment| segment.ends_h <= hours);
        let segment = &self.segments[index.min(self.segments.len() - 1)];
        match (&route.stages[segment.stage], segment.activity) {
            (Stage::Stop { place, .. }, _) => {
                Whereabouts { segment, point: *place, speed_kmh: 0.0, course_deg: None }
            }
            (Stage::Leg { track, .. }, Activity::Moving { from_km, to_km }) => {
                let length_h = segment.ends_h - segment.begins_h;
                let share = ((hours - segment.begins_h) / length_h).clamp(0.0, 1.0);
                let (eased, rate) = ease(share);
                let (point, course) = track.at(from_km + (to_km - from_km) * eased);
                let speed_kmh = (to_km - from_km) / length_h * rate;
                Whereabouts { segment, point, speed_kmh, course_deg: Some(course) }
            }
            (Stage::Leg { track, .. }, Activity::Resting { at_km }) => {
                Whereabouts { segment, point: track.at(at_km).0, speed_kmh: 0.0, course_deg: None }
            }
            (Stage::Leg { track, .. }, Activity::Dwelling) => {
                Whereabouts { segment, point: track.at(0.0).0, speed_kmh: 0.0, course_deg: None }
            }
        }
    }

    fn push(&mut self, stage: usize, length_h: f64, activity: Activity) {
        let begins_h = self.length_h();
        self.segments.push(Segment { begins_h, ends_h: begins_h + length_h, stage, activity });
    }

    fn push_leg(
        &mut self,
        stage: usize,
        mode: Mode,
        speed_kmh: f64,
        length_km: f64,
        random: &mut ChaCha8Rng,
    ) {
        let mut from_km = 0.0;
        let mut driven_h = 0.0;
        while from_km < length_km {
            let stretch_h = match mode {
                // European driving times: a break after 4.5 hours, a night's rest after 9.
                Mode::Truck => 4.5,
                Mode::Rail => random.random_range(7.0..14.0),
                Mode::Harbour | Mode::Sea | Mode::Canal => f64::INFINITY,
            };
            let to_km = (from_km + stretch_h * speed_kmh).min(length_km);
            let moving_h = (to_km - from_km) / speed_kmh;
            self.push(stage, moving_h, Activity::Moving { from_km, to_km });
            driven_h += moving_h;
            from_km = to_km;
            if from_km < length_km {
                let rest_h = match mode {
                    Mode::Truck if driven_h >= 9.0 => {
                        driven_h = 0.0;
                        11.0
                    }
                    Mode::Truck => 0.75,
                    _ => random.random_range(1.0..4.0),
                };
                self.push(stage, rest_h, Activity::Resting { at_km: from_km });
            }
        }
    }
}

/// Share of the way after a share of the time, and the speed in terms of the average: it varies by a
/// quarter, and never goes backwards.
fn ease(share: f64) -> (f64, f64) {
    let turns = 3.0 * std::f64::consts::TAU;
    let swing = 0.25;
    (share + swing / turns * (turns * share).sin(), 1.0 + swing * (turns * share).cos())
}
