//! Where a container is among the fences, fix after fix.
//!
//! A fix is wrong by some 5 m times its HDOP, now and then by several times as much. Each fix is therefore given a margin, and
//! a fence keeps its standing while the border is nearer than that: a container that stands at the border neither enters nor
//! leaves all day.
//!
//! | standing | fix | then |
//! |---|---|---|
//! | not known | in it | `inside` |
//! | out | in it, and the border farther away than the margin (or, in a small fence, deep enough) | `enter` |
//! | in | out of it, and the border farther away than the margin | `exit` |
//! | out | likewise out, and the line from the last such fix leads through it | `crossed` |

use std::sync::Arc;
use std::time::Duration;

use geo::Coord;
use serde::{Deserialize, Serialize};

use super::bounds::{METRES, Margin};
use super::fence::Fence;
use super::fences::Fences;
use super::line::Way;
use super::shape::Side;

/// Metres of margin for each unit of HDOP: four times what a receiver is usually wrong by.
const MARGIN_M: f64 = 20.0;
const LEAST_MARGIN_M: f64 = 20.0;
const MOST_MARGIN_M: f64 = 500.0;
/// Metres that a container moves before it is looked at anew, where no border is near.
const CALM_M: f64 = 100.0;
/// Where the receiver tells none.
const USUAL_HDOP: f64 = 2.0;

/// A position, as a receiver tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    /// When, on a clock that only goes forward.
    pub at: Duration,
    /// Degrees, -180 to 180.
    pub longitude: f64,
    /// Degrees, -90 to 90.
    pub latitude: f64,
    /// Horizontal dilution of precision, if it was told.
    pub hdop: Option<f64>,
}

impl Fix {
    /// Metres from a border within which it says nothing.
    pub fn margin_m(&self) -> f64 {
        let hdop = self.hdop.filter(|hdop| hdop.is_finite() && *hdop > 0.0).unwrap_or(USUAL_HDOP);
        (hdop * MARGIN_M).clamp(LEAST_MARGIN_M, MOST_MARGIN_M)
    }

    fn point(&self) -> Coord {
        Coord { x: self.longitude, y: self.latitude }
    }
}

/// What happened at a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrossingKind {
    /// It was left.
    Exit,
    /// The line between two fixes, neither of them in it, leads through it.
    Crossed,
    /// The container was in it when that could first be told.
    Inside,
    /// It was entered.
    Enter,
}

impl CrossingKind {
    /// As events name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Crossed => "crossed",
            Self::Inside => "inside",
            Self::Enter => "enter",
        }
    }
}

/// That something happened at a fence.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    /// What.
    pub kind: CrossingKind,
    /// Name of the fence.
    pub fence: Arc<str>,
    /// The fix that tells it.
    pub fix: Fix,
    /// Where the line began that leads through the fence.
    pub from: Option<Fix>,
}

/// Where the container was told to be, by names of fences: kept over a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Fences that it is in.
    pub inside: Vec<String>,
    /// Fences that it is known not to be in.
    pub outside: Vec<String>,
}

/// The fences that the container is in by the last fix that told, the smallest first; `None` while there are fences, and no fix has
/// told of one.
pub type Here = Option<Vec<Arc<str>>>;

/// How the container stands to one fence.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Place {
    /// `None` until a fix has told.
    is_in: Option<bool>,
    /// The last fix that was outside for sure, since this start.
    outside: Option<Fix>,
}

/// A position around which nothing can happen: all borders are farther away than [`CALM_M`] and the margin.
#[derive(Debug, Clone, Copy)]
struct Calm {
    at: Coord,
    margin_m: f64,
    /// The last fix there, if it was not looked at.
    last: Option<Fix>,
}

/// Follows a container among fences.
#[derive(Debug, Default)]
pub struct Tracker {
    fences: Arc<Fences>,
    /// One for each of them.
    places: Vec<Place>,
    /// Most containers stand still most of the time: nothing is to be looked at then.
    calm: Option<Calm>,
}

impl Tracker {
    /// Goes on where an earlier one stood.
    pub fn new(fences: Arc<Fences>, standing: &Standing) -> Self {
        let has = |names: &[String], name: &str| names.iter().any(|one| one == name);
        let place = |name: &str| {
            let is_out = has(&standing.outside, name).then_some(false);
            Place { is_in: if has(&standing.inside, name) { Some(true) } else { is_out }, outside: None }
        };
        let places = fences.all().iter().map(|fence| place(fence.name())).collect();
        Self { fences, places, calm: None }
    }

    /// Takes other fences. One of the same name goes on as it stood, wherever its border is now: the next fix tells.
    pub fn set(&mut self, fences: Arc<Fences>) {
        *self = Self::new(fences, &self.standing());
    }

    /// Whether there is nothing to follow.
    pub fn is_idle(&self) -> bool {
        self.places.is_empty()
    }

    /// In which fences the container is.
    pub fn here(&self) -> Here {
        if !self.places.is_empty() && self.places.iter().all(|place| place.is_in.is_none()) {
            return None;
        }
        let places = self.fences.all().iter().zip(&self.places);
        let mut these: Vec<_> =
            places.filter(|(_, place)| place.is_in == Some(true)).map(|(fence, _)| fence).collect();
        these.sort_by(|a, b| a.area().total_cmp(&b.area()));
        Some(these.into_iter().map(|fence| fence.name().clone()).collect())
    }

    /// The smallest fence that the container is in.
    pub fn place(&self) -> Option<&Arc<str>> {
        let places = self.fences.all().iter().zip(&self.places);
        let these = places.filter(|(_, place)| place.is_in == Some(true)).map(|(fence, _)| fence);
        these.min_by(|a, b| a.area().total_cmp(&b.area())).map(Fence::name)
    }

    /// What is to be kept.
    pub fn standing(&self) -> Standing {
        let names = |wanted: bool| {
            let places = self.fences.all().iter().zip(&self.places);
            let these = places.filter(move |(_, place)| place.is_in == Some(wanted));
            these.map(|(fence, _)| fence.name().to_string()).collect()
        };
        Standing { inside: names(true), outside: names(false) }
    }

    /// Takes a fix. Says what happened, exits first, and whether [`Tracker::standing`] is another one now.
    pub fn fix(&mut self, fix: &Fix) -> (Vec<Crossing>, bool) {
        let (point, metres) = (fix.point(), fix.margin_m());
        if let Some(calm) = &mut self.calm {
            if metres <= calm.margin_m && is_within(calm.at, point, CALM_M) {
                calm.last = Some(*fix);
                return (Vec::new(), false);
            }
            if let Some(last) = calm.last {
                let outside = self.places.iter_mut().filter(|place| place.is_in == Some(false));
                outside.for_each(|place| place.outside = Some(last));
            }
        }
        let margin = Margin::new(metres, fix.latitude);
        // Most of the time nothing happens, and an empty list costs nothing.
        let (mut crossings, mut has_changed) = (Vec::<Crossing>::new(), false);
        // Nearly always the same for all fences.
        let mut last: Option<(Fix, Option<Way>)> = None;
        let mut way_from = |from: Fix| match last {
            Some((same, way)) if same == from => way,
            _ => last.insert((from, Way::new(from.point(), point))).1,
        };
        for (fence, place) in self.fences.all().iter().zip(&mut self.places) {
            let side = fence.side(point, metres, margin);
            let before = *place;
            let kind = match (before.is_in, side) {
                (None, Side { is_in: true, .. }) => Some(CrossingKind::Inside),
                (Some(false), Side { is_in: true, is_sure: true }) => Some(CrossingKind::Enter),
                (Some(true), Side { is_in: false, is_sure: true }) => Some(CrossingKind::Exit),
                (Some(false), Side { is_in: false, is_sure: true }) => {
                    let way = before.outside.and_then(&mut way_from);
                    way.is_some_and(|way| fence.is_cut_by(&way)).then_some(CrossingKind::Crossed)
                }
                _ => None,
            };
            place.is_in = match (before.is_in, side) {
                (None, side) | (Some(_), side @ Side { is_sure: true, .. }) => Some(side.is_in),
                (known, _) => known,
            };
            if place.is_in == Some(false) && side.is_sure {
                place.outside = Some(*fix);
            }
            has_changed |= place.is_in != before.is_in;
            if let Some(kind) = kind {
                let from = before.outside.filter(|_| kind == CrossingKind::Crossed);
                let crossing = Crossing { kind, fence: fence.name().clone(), fix: *fix, from };
                crossings.insert(crossings.partition_point(|other| other.kind <= kind), crossing);
            }
        }
        // Receivers are now and then less sure of themselves.
        let margin_m = 2.0 * metres;
        let is_calm = self.fences.all().iter().all(|fence| fence.is_border_beyond(point, margin_m + CALM_M));
        self.calm = is_calm.then_some(Calm { at: point, margin_m, last: None });
        (crossings, has_changed)
    }
}

/// Whether two positions are for sure no farther apart than so many metres.
fn is_within(one: Coord, other: Coord, metres: f64) -> bool {
    // Nowhere a degree of longitude is longer than one of latitude.
    let (x, y) = (one.x - other.x, one.y - other.y);
    x * x + y * y <= (metres / METRES).powi(2)
}
