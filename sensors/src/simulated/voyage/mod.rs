//! A container on its way: where it is and how its inside feels, at any hour of the journey.

mod doors;
mod indoors;
mod interior;
mod itinerary;
mod route;
mod track;
mod weather;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use self::doors::Doors;
use self::indoors::Indoors;
use self::interior::{Interior, Surroundings};
use self::itinerary::{Activity, Itinerary, Segment};
pub use self::route::Mode;
use self::route::{Route, Stage};
use self::weather::Weather;
use super::clock::after;
use crate::gps::Position;

/// Knots in a km/h.
const KNOTS_PER_KMH: f64 = 1.0 / 1.852;

/// How long a failure of the ship's plug lasts.
const POWER_FAILURE_H: f64 = 48.0;

/// Share of the light outside that comes through open doors to a sensor beside them, which sees a part of the sky.
const LIGHT_AT_DOORS: f64 = 0.2;

/// Where the container is stowed aboard ship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stowage {
    /// On deck, top tier: sun, and a free view of the sky.
    TopOfDeck,
    /// On deck, amid other containers: the sky is seen now and then.
    AmidStack,
    /// Below deck: no sun, no satellites for the whole crossing.
    BelowDeck,
}

/// One journey of one container, fixed by its name, its start and a seed: the same three give the same
/// voyage. Different seeds have different weather, waiting times and stowage, and begin at different points
/// of the loading.
#[derive(Debug, Clone)]
pub struct Voyage {
    route: Arc<Route>,
    itinerary: Itinerary,
    weather: Weather,
    start: DateTime<Utc>,
    seed: u64,
    stowage: Stowage,
    deck_height_m: f64,
    /// Whether trucks have a generator for the reefer.
    genset: bool,
    /// Begin and end of a failure of the ship's plug, in hours from the start.
    power_failure: Option<(f64, f64)>,
    doors: Doors,
    inside: Indoors,
}

/// Everything about the container at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions {
    /// Where.
    pub position: Position,
    /// Metres above mean sea level.
    pub altitude_m: f64,
    /// Knots over ground.
    pub speed_kn: f64,
    /// Degrees true; nothing at rest.
    pub course_deg: Option<f64>,
    /// Air inside, °C.
    pub temperature_c: f64,
    /// Air inside, %RH.
    pub humidity_rh: f64,
    /// Air inside, hPa.
    pub pressure_hpa: f64,
    /// Air outside, °C.
    pub outside_temperature_c: f64,
    /// Whether the antenna sees the sky.
    pub gnss_visible: bool,
    /// Whether the doors are open.
    pub doors_open: bool,
    /// Light inside in lx: none while the doors are shut.
    pub light_lx: f64,
    /// What is going on, in a few words.
    pub stage: String,
    /// The journey is over. The container stays at its last stop, with its doors closed, for ever after.
    pub finished: bool,
}

/// A voyage that is not known by this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no voyage is called {name:?}; there are: {}", Voyage::names().collect::<Vec<_>>().join(", "))]
pub struct UnknownVoyage {
    name: String,
}

impl Voyage {
    /// The names of all journeys.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Route::names()
    }

    /// The journey of this name, begun at `start`.
    ///
    /// # Errors
    /// When there is none of this name; the text lists those there are.
    pub fn named(name: &str, start: DateTime<Utc>, seed: u64) -> Result<Self, UnknownVoyage> {
        let route = Route::named(name).ok_or_else(|| UnknownVoyage { name: name.to_owned() })?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let stowage = match random.random_range(0..20) {
            0..=11 => Stowage::TopOfDeck,
            12..=16 => Stowage::AmidStack,
            _ => Stowage::BelowDeck,
        };
        let itinerary = Itinerary::new(&route, &mut random);
        let weather = Weather::new(seed, itinerary.length_h());
        let mut voyage = Self {
            deck_height_m: random.random_range(10.0..40.0),
            genset: random.random_bool(0.7),
            power_failure: None,
            doors: Doors::default(),
            inside: Indoors::default(),
            route,
            itinerary,
            weather,
            start,
            seed,
            stowage,
        };
        voyage.doors = voyage.plan_doors(&mut random);
        Ok(voyage)
    }

    /// The same voyage, stowed otherwise than the seed would have it.
    #[must_use]
    pub fn with_stowage(mut self, stowage: Stowage) -> Self {
        self.stowage = stowage;
        self.inside = Indoors::default();
        self
    }

    /// The same voyage, on which a reefer's plug gives no power for two days, around the hour at sea at which it is hottest outside.
    #[must_use]
    pub fn with_power_failure_at_sea(mut self) -> Self {
        let hours = (0..self.length_h() as u32).map(f64::from);
        let at_sea = hours.filter(|hours| {
            let here = self.itinerary.at(&self.route, *hours);
            matches!(self.mode(here.segment), Some(Mode::Sea))
        });
        let outside = |hours: &f64| self.surroundings(*hours).outside.temperature_c;
        let hottest = at_sea.max_by(|a, b| outside(a).total_cmp(&outside(b)));
        self.power_failure =
            hottest.map(|hottest| (hottest - POWER_FAILURE_H / 2.0, hottest + POWER_FAILURE_H / 2.0));
        self.inside = Indoors::default();
        self
    }

    /// Where the container stops, with the names of the places.
    pub fn stops(&self) -> impl Iterator<Item = (&str, Position)> {
        self.route.stages.iter().filter_map(|stage| match stage {
            Stage::Stop { name, place, .. } => Some((name.as_str(), place.position())),
            Stage::Leg { .. } => None,
        })
    }

    /// Name of the journey, as given to [`Voyage::named`].
    pub fn name(&self) -> &'static str {
        self.route.name
    }

    /// From where to where with what, in one sentence.
    pub fn title(&self) -> &str {
        &self.route.title
    }

    /// What is in the container.
    pub fn cargo(&self) -> &str {
        &self.route.cargo
    }

    /// Set temperature of a refrigerated container in °C; nothing for a dry one.
    pub fn setpoint_c(&self) -> Option<f64> {
        self.route.setpoint_c
    }

    /// Where the container is stowed aboard ship.
    pub fn stowage(&self) -> Stowage {
        self.stowage
    }

    /// Hours from the start to the end of the unloading.
    pub fn length_h(&self) -> f64 {
        self.itinerary.length_h()
    }

    /// Begin and end of each opening of the doors, in hours from the start.
    pub fn openings(&self) -> &[(f64, f64)] {
        self.doors.openings()
    }

    /// The conditions so many hours after the start. Any hour may be asked for, in any order, at a small cost: the way to an
    /// hour is computed once, when that hour or a later one is first asked for. Before the start counts as the start.
    pub fn at(&self, hours: f64) -> Conditions {
        let hours = if hours.is_finite() { hours.max(0.0) } else { 0.0 };
        let around = self.surroundings(hours);
        let here = self.itinerary.at(&self.route, hours);
        let inside =
            self.inside.at(hours, self.length_h(), || self.interior(), |hours| self.surroundings(hours));
        let finished = hours >= self.length_h();
        Conditions {
            position: here.point.position(),
            altitude_m: self.altitude_m(hours),
            speed_kn: here.speed_kmh * KNOTS_PER_KMH,
            course_deg: here.course_deg,
            temperature_c: inside.temperature_c,
            humidity_rh: inside.humidity_rh,
            pressure_hpa: inside.pressure_hpa,
            outside_temperature_c: around.outside.temperature_c,
            gnss_visible: self.gnss_visible(hours, here.segment),
            doors_open: around.doors_open,
            light_lx: if around.doors_open { around.outside.light_lx() * LIGHT_AT_DOORS } else { 0.0 },
            stage: if finished { "delivered".to_owned() } else { self.describe(here.segment) },
            finished,
        }
    }

    fn surroundings(&self, hours: f64) -> Surroundings {
        let here = self.itinerary.at(&self.route, hours);
        let afloat = self.mode(here.segment).is_some_and(Mode::is_afloat);
        let mut point = here.point;
        point.altitude_m = self.altitude_m(hours);
        Surroundings {
            outside: self.weather.at(hours, after(self.start, hours), &point, afloat),
            doors_open: self.doors.are_open(hours),
            powered: self.powered(hours, here.segment),
            in_the_open: !afloat || self.stowage != Stowage::BelowDeck,
        }
    }

    /// How the inside begins.
    fn interior(&self) -> Interior {
        let mut random = ChaCha8Rng::seed_from_u64(!self.seed);
        let first = self.surroundings(0.0).outside;
        Interior::new(self.route.setpoint_c, &self.route.cargo, &first, &mut random)
    }

    fn mode(&self, segment: &Segment) -> Option<Mode> {
        match &self.route.stages[segment.stage] {
            Stage::Leg { mode, .. } => Some(*mode),
            Stage::Stop { .. } => None,
        }
    }

    /// Ground or sea level, and the deck's height aboard ship: a crane lifts the box in two minutes.
    fn altitude_m(&self, hours: f64) -> f64 {
        let here = self.itinerary.at(&self.route, hours);
        if !self.mode(here.segment).is_some_and(Mode::is_afloat) {
            return here.point.altitude_m;
        }
        let lift_h = 2.0 / 60.0;
        let from_quay = self.begins_afloat_h(here.segment.stage);
        let to_quay = self.ends_afloat_h(here.segment.stage);
        let aboard = ((hours - from_quay).min(to_quay - hours) / lift_h).clamp(0.0, 1.0);
        here.point.altitude_m + self.deck_height_m * aboard
    }

    /// When the row of legs afloat that `stage` belongs to begins.
    fn begins_afloat_h(&self, stage: usize) -> f64 {
        let mut first = stage;
        while first > 0
            && matches!(&self.route.stages[first - 1], Stage::Leg { mode, .. } if mode.is_afloat())
        {
            first -= 1;
        }
        self.itinerary.stage_begins_h(first)
    }

    fn ends_afloat_h(&self, stage: usize) -> f64 {
        let mut last = stage;
        while matches!(self.route.stages.get(last + 1), Some(Stage::Leg { mode, .. }) if mode.is_afloat()) {
            last += 1;
        }
        self.itinerary.stage_ends_h(last)
    }

    /// Loading before the first leg, unloading after the last, and customs in between.
    fn plan_doors(&self, random: &mut ChaCha8Rng) -> Doors {
        // The doors are closed and sealed a while before the truck leaves, and after the last piece is out.
        let sealing_h = 0.25;
        let handling = |stage: usize| {
            (self.itinerary.stage_begins_h(stage), self.itinerary.stage_ends_h(stage) - sealing_h)
        };
        let mut stretches = vec![handling(0), handling(self.route.stages.len() - 1)];
        stretches.extend(self.plan_inspection(random));
        Doors::new(stretches)
    }

    fn plan_inspection(&self, random: &mut ChaCha8Rng) -> Option<(f64, f64)> {
        let ports: Vec<usize> = (1..self.route.stages.len() - 1)
            .filter(|&index| matches!(self.route.stages[index], Stage::Stop { .. }))
            .collect();
        let inspected = random.random_bool(0.4);
        let stage = *ports.last()?;
        let (begin, end) = (self.itinerary.stage_begins_h(stage), self.itinerary.stage_ends_h(stage));
        let opened = begin + (end - begin) * random.random_range(0.2..0.7);
        let length = random.random_range(0.2..1.0);
        inspected.then_some((opened, opened + length))
    }

    /// A reefer is without current on trucks without a generator, and for an hour around each change of
    /// carrier.
    fn powered(&self, hours: f64, segment: &Segment) -> bool {
        if self.power_failure.is_some_and(|(begin, end)| (begin..end).contains(&hours)) {
            return false;
        }
        let changing_h = 1.0;
        let is_changing =
            segment.stage > 0 && hours - self.itinerary.stage_begins_h(segment.stage) < changing_h;
        match self.mode(segment) {
            Some(Mode::Truck) => self.genset,
            Some(Mode::Sea | Mode::Canal | Mode::Rail) => true,
            Some(Mode::Harbour) => false,
            None => !is_changing,
        }
    }

    fn gnss_visible(&self, hours: f64, segment: &Segment) -> bool {
        let afloat = self.mode(segment).is_some_and(Mode::is_afloat);
        match self.stowage {
            _ if !afloat => true,
            Stowage::TopOfDeck => true,
            // A gap in the stack passes the satellites for half an hour out of four.
            Stowage::AmidStack => (hours / 4.0).fract() < 0.125,
            Stowage::BelowDeck => false,
        }
    }

    fn describe(&self, segment: &Segment) -> String {
        match &self.route.stages[segment.stage] {
            Stage::Stop { name, what, .. } => format!("{name}: {what}"),
            Stage::Leg { mode, towards, .. } => {
                let how = match mode {
                    Mode::Truck => "by truck",
                    Mode::Rail => "by rail",
                    Mode::Harbour => "in port waters",
                    Mode::Sea => "at sea",
                    Mode::Canal => "in the canal",
                };
                let resting =
                    if matches!(segment.activity, Activity::Resting { .. }) { ", resting" } else { "" };
                format!("{how} to {towards}{resting}")
            }
        }
    }
}
