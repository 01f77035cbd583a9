//! The air inside: a refrigerated container's controlled air, or a dry container's that follows sun and
//! weather.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::weather::{Outside, saturation_hpa};

/// What acts on the container from outside itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) outside: Outside,
    pub(super) doors_open: bool,
    /// Whether a reefer has current.
    pub(super) powered: bool,
    /// Whether the sun reaches the box: not under deck.
    pub(super) in_the_open: bool,
}

/// The air inside at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inside {
    pub(super) temperature_c: f64,
    pub(super) humidity_rh: f64,
    pub(super) pressure_hpa: f64,
}

/// The state that is carried from step to step.
#[derive(Debug, Clone)]
pub(super) struct Interior {
    air_c: f64,
    cargo_c: f64,
    /// Pressure of the vapour in the air in hPa.
    vapour_hpa: f64,
    pressure_hpa: f64,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Reefer(Reefer),
    Dry { warming_c: f64, following_h: f64, cargo_rh: Option<f64> },
}

#[derive(Debug, Clone)]
struct Reefer {
    setpoint_c: f64,
    /// Return air, where the sensor is, over the setpoint.
    return_over_c: f64,
    humidity_rh: f64,
    defrost_every_h: f64,
    defrost_h: f64,
    next_defrost_h: f64,
    /// Where the compressor's cycle stands, in radians.
    cycle: f64,
}

impl Interior {
    pub(super) fn new(
        setpoint_c: Option<f64>,
        cargo: &str,
        first: &Outside,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let kind = match setpoint_c {
            Some(setpoint_c) => Kind::Reefer(Reefer::new(setpoint_c, random)),
            None => Kind::Dry {
                warming_c: random.random_range(14.0..20.0),
                following_h: random.random_range(2.0..4.0),
                // Coffee, cocoa and wood give and take water until the air suits them.
                cargo_rh: cargo.contains("coffee").then(|| random.random_range(62.0..70.0)),
            },
        };
        let start_c = setpoint_c.map_or(first.temperature_c, |setpoint| setpoint + 1.0);
        Self {
            air_c: start_c,
            cargo_c: start_c,
            vapour_hpa: saturation_hpa(first.dew_point_c).min(0.9 * saturation_hpa(start_c)),
            pressure_hpa: first.pressure_hpa,
            kind,
        }
    }

    /// Goes `step_h` hours on.
    pub(super) fn step(&mut self, hours: f64, step_h: f64, around: &Surroundings) {
        let outside = &around.outside;
        // Vents let the pressure follow within minutes, a reefer's drain and fresh-air flap within half an
        // hour.
        let venting_h = if matches!(self.kind, Kind::Reefer(_)) && !around.doors_open { 0.5 } else { 0.08 };
        approach(&mut self.pressure_hpa, outside.pressure_hpa, step_h / venting_h);
        match &mut self.kind {
            Kind::Reefer(reefer) => {
                let defrosting = reefer.is_defrosting(hours, around.powered);
                let (target_c, following_h) = reefer.aim(around, self.cargo_c, defrosting, step_h);
                approach(&mut self.air_c, target_c, step_h / following_h);
                approach(&mut self.cargo_c, self.air_c, step_h / 60.0);
                let wanted_rh = reefer.humidity_rh + if defrosting { 8.0 } else { 0.0 };
                let (vapour, drying_h) = if around.doors_open {
                    (saturation_hpa(outside.dew_point_c), 0.2)
                } else {
                    (wanted_rh / 100.0 * saturation_hpa(self.air_c), 0.7)
                };
                approach(&mut self.vapour_hpa, vapour, step_h / drying_h);
            }
            Kind::Dry { warming_c, following_h, cargo_rh } => {
                let (warming, following) = if around.in_the_open {
                    let night_loss = if outside.sun == 0.0 { 3.0 * (1.0 - outside.clouds) } else { 0.0 };
                    (*warming_c * outside.sun - night_loss, *following_h)
                } else {
                    (0.0, 36.0)
                };
                let following = if around.doors_open { 0.3 } else { following };
                approach(&mut self.air_c, outside.temperature_c + warming, step_h / following);
                approach(&mut self.cargo_c, self.air_c, step_h / 20.0);
                let leaking_h = if around.doors_open { 0.2 } else { 30.0 };
                approach(&mut self.vapour_hpa, saturation_hpa(outside.dew_point_c), step_h / leaking_h);
                if let Some(rh) = cargo_rh {
                    let held = *rh / 100.0 * saturation_hpa(self.air_c);
                    approach(&mut self.vapour_hpa, held, step_h / 1.5);
                }
            }
        }
        // What is more than the air can hold runs down the walls.
        self.vapour_hpa = self.vapour_hpa.clamp(0.05, 0.995 * saturation_hpa(self.air_c));
    }

    pub(super) fn now(&self) -> Inside {
        Inside {
            temperature_c: self.air_c,
            humidity_rh: 100.0 * self.vapour_hpa / saturation_hpa(self.air_c),
            pressure_hpa: self.pressure_hpa,
        }
    }
}

impl Reefer {
    fn new(setpoint_c: f64, random: &mut ChaCha8Rng) -> Self {
        let defrost_every_h = if random.random_bool(0.5) { 6.0 } else { 12.0 };
        Self {
            setpoint_c,
            return_over_c: random.random_range(0.5..1.2),
            humidity_rh: random.random_range(82.0..88.0),
            defrost_every_h,
            defrost_h: random.random_range(0.33..0.7),
            next_defrost_h: random.random_range(0.5..1.0) * defrost_every_h,
            cycle: random.random_range(0.0..6.0),
        }
    }

    fn is_defrosting(&mut self, hours: f64, powered: bool) -> bool {
        if hours >= self.next_defrost_h + self.defrost_h {
            self.next_defrost_h = hours + self.defrost_every_h;
        }
        powered && hours >= self.next_defrost_h
    }

    /// The temperature that the air tends to, and how many hours it takes.
    fn aim(&mut self, around: &Surroundings, cargo_c: f64, defrosting: bool, step_h: f64) -> (f64, f64) {
        let outside_c = around.outside.temperature_c;
        if around.doors_open {
            // The cargo's cold holds against the air that comes in.
            return (0.6 * outside_c + 0.4 * cargo_c, 0.2);
        }
        if !around.powered {
            // Fans off: the air takes the cargo's temperature, and the walls let in 0.1 to 2 °C an hour.
            return (cargo_c + 0.08 * (outside_c - cargo_c), 1.5);
        }
        if defrosting {
            return (self.setpoint_c + self.return_over_c + 3.5, 0.4);
        }
        self.cycle += step_h * std::f64::consts::TAU / 0.4;
        let regulated = self.setpoint_c + self.return_over_c + 0.2 * self.cycle.sin();
        (regulated, 0.3)
    }
}

/// Moves a value towards its target by a share of the way that stays right for long steps.
fn approach(value: &mut f64, target: f64, steps: f64) {
    *value += (target - *value) * (1.0 - (-steps).exp());
}
