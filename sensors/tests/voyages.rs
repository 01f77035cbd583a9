//! The journeys: each stays on its route, feels as a container does, and is fixed by its seed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_sensors::gps::Position;
use tracker_sensors::simulated::{Conditions, Stowage, Voyage};

fn start() -> DateTime<Utc> {
    "2026-07-01T06:00:00Z".parse().unwrap()
}

fn voyage(name: &str, seed: u64) -> Voyage {
    Voyage::named(name, start(), seed).unwrap()
}

/// Every quarter of an hour from start to end, and a day more.
fn course(voyage: &Voyage) -> impl Iterator<Item = (f64, Conditions)> + '_ {
    let steps = ((voyage.length_h() + 24.0) * 4.0) as usize;
    (0..steps).map(|step| {
        let hours = step as f64 / 4.0;
        (hours, voyage.at(hours))
    })
}

/// The points of a route as its file has them.
fn corners(name: &str) -> Vec<Position> {
    fn collect(value: &Value, into: &mut Vec<Position>) {
        let items = value.as_array().unwrap();
        if let Some(longitude) = items[0].as_f64() {
            into.push(Position { latitude: items[1].as_f64().unwrap(), longitude });
        } else {
            for item in items {
                collect(item, into);
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("data/routes/{name}.geojson"));
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut corners = Vec::new();
    for feature in file["features"].as_array().unwrap() {
        collect(&feature["geometry"]["coordinates"], &mut corners);
    }
    corners
}

/// How far a place lies off the straight line between two corners, in kilometres.
fn off_line_km(place: Position, from: Position, to: Position) -> f64 {
    let narrowing = place.latitude.to_radians().cos();
    let flat = |position: Position| {
        let east = (position.longitude - place.longitude + 180.0).rem_euclid(360.0) - 180.0;
        (east * narrowing * 111.2, (position.latitude - place.latitude) * 111.2)
    };
    let ((ax, ay), (bx, by)) = (flat(from), flat(to));
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let share = if length > 0.0 { (-(ax * dx + ay * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (ax + share * dx).hypot(ay + share * dy)
}

#[test]
fn there_are_twelve_and_an_unknown_one_is_answered_with_their_names() {
    assert_eq!(Voyage::names().count(), 12);
    let error = Voyage::named("rotterdam-tokyo", start(), 1).unwrap_err().to_string();
    assert!(error.starts_with("no voyage is called \"rotterdam-tokyo\"; there are: "), "{error}");
    assert!(Voyage::names().all(|name| error.contains(name)), "{error}");
}

#[test]
fn every_voyage_goes_from_its_first_stop_to_its_last_along_its_route() {
    for name in Voyage::names() {
        let voyage = voyage(name, 3);
        let corners = corners(name);
        let mut travelled_km = 0.0;
        let mut before: Option<Conditions> = None;
        for (hours, now) in course(&voyage) {
            let nearest = corners
                .windows(2)
                .map(|pair| off_line_km(now.position, pair[0], pair[1]))
                .fold(f64::INFINITY, f64::min);
            assert!(nearest < 1.0, "{name} is {nearest} km off its route after {hours} h: {now:?}");
            assert!((0.0..50.0).contains(&now.speed_kn), "{name} after {hours} h: {now:?}");
            if let Some(before) = &before {
                let step_km = before.position.distance_m(&now.position) / 1000.0;
                // A quarter of an hour at 90 km/h.
                assert!(step_km < 25.0, "{name} jumped {step_km} km at {hours} h");
                travelled_km += step_km;
            }
            before = Some(now);
        }
        let (first, last) = (corners[0], corners[corners.len() - 1]);
        assert!(voyage.at(0.0).position.distance_m(&first) < 1.0, "{name}");
        let end = voyage.at(voyage.length_h());
        assert!(end.finished && end.position.distance_m(&last) < 1.0, "{name}: {end:?}");
        let planned_km: f64 = corners.windows(2).map(|pair| pair[0].distance_m(&pair[1]) / 1000.0).sum();
        assert!((travelled_km / planned_km - 1.0).abs() < 0.02, "{name}: {travelled_km} of {planned_km} km");
    }
}

#[test]
fn the_length_is_about_what_the_route_says() {
    for name in Voyage::names() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("data/routes/{name}.geojson"));
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let planned_h = file["properties"]["total_days"].as_f64().unwrap() * 24.0;
        for seed in 0..10 {
            let length_h = voyage(name, seed).length_h();
            assert!(
                (planned_h * 0.8..planned_h * 1.25).contains(&length_h),
                "{name}: {length_h} h of {planned_h} h"
            );
        }
    }
}

#[test]
fn the_inside_is_always_within_what_containers_feel() {
    for name in Voyage::names() {
        for seed in [1, 2] {
            for (hours, now) in course(&voyage(name, seed)) {
                let Conditions { temperature_c, humidity_rh, pressure_hpa, altitude_m, .. } = now;
                let here = || format!("{name}, seed {seed}, after {hours} h: {now:?}");
                assert!((-29.0..=60.0).contains(&temperature_c), "{}", here());
                assert!((3.0..=100.0).contains(&humidity_rh), "{}", here());
                assert!((-10.0..5000.0).contains(&altitude_m), "{}", here());
                let sea_level = pressure_hpa / (1.0 - altitude_m / 44330.8).powf(1.0 / 0.190_263);
                // Air inside follows outside with a delay, so on a mountain line the sum is not exact.
                assert!((930.0..1110.0).contains(&sea_level), "{sea_level} hPa, {}", here());
            }
        }
    }
}

#[test]
fn a_reefer_with_current_and_closed_doors_keeps_its_temperature() {
    for name in Voyage::names() {
        let voyage = voyage(name, 5);
        let Some(setpoint) = voyage.setpoint_c() else {
            continue;
        };
        let mut at_sea = Vec::new();
        for (hours, now) in course(&voyage) {
            // Near the door, with customs looking in for an hour of a tropical noon.
            let warmest = setpoint + 20.0;
            assert!((setpoint - 3.0..warmest).contains(&now.temperature_c), "{name} {hours}: {now:?}");
            if now.stage.starts_with("at sea") {
                at_sea.push(now.temperature_c);
            }
        }
        at_sea.sort_by(f64::total_cmp);
        let middle = at_sea[at_sea.len() / 2];
        assert!((setpoint..setpoint + 1.8).contains(&middle), "{name}: {middle}");
        let defrosts = at_sea.iter().filter(|temperature| **temperature > setpoint + 2.0).count();
        assert!(defrosts > 10, "{name}: defrosting shows");
        assert!(defrosts * 5 < at_sea.len(), "{name}: but is the exception");
    }
}

#[test]
fn a_dry_container_swings_with_the_sun_on_deck_and_hardly_below() {
    let swing = |stowage: Stowage| {
        let voyage = voyage("suzhou-chicago-pacific", 9).with_stowage(stowage);
        let at_sea: Vec<(f64, f64)> = course(&voyage)
            .filter(|(_, now)| now.stage.starts_with("at sea"))
            .map(|(hours, now)| (hours, now.temperature_c))
            .collect();
        let days = at_sea.chunks(96).filter(|day| day.len() == 96);
        let swings: Vec<f64> = days
            .map(|day| {
                let warmest = day.iter().map(|(_, t)| *t).fold(f64::MIN, f64::max);
                let coldest = day.iter().map(|(_, t)| *t).fold(f64::MAX, f64::min);
                warmest - coldest
            })
            .collect();
        swings.iter().sum::<f64>() / swings.len() as f64
    };
    let (top, below) = (swing(Stowage::TopOfDeck), swing(Stowage::BelowDeck));
    assert!((4.0..25.0).contains(&top), "{top}");
    assert!(below < 2.5, "{below}");
}

#[test]
fn the_andes_and_the_doors_are_felt() {
    let voyage = voyage("laoroya-ningbo-zinc", 1);
    let highest = course(&voyage).max_by(|(_, a), (_, b)| a.altitude_m.total_cmp(&b.altitude_m)).unwrap().1;
    assert!(highest.altitude_m > 4500.0, "{highest:?}");
    assert!((520.0..620.0).contains(&highest.pressure_hpa), "{highest:?}");
    assert!(voyage.at(0.0).doors_open, "loading");
    assert!(!voyage.at(voyage.length_h() / 2.0).doors_open);
    let unloading = voyage.at(voyage.length_h() - 1.0);
    assert!(unloading.doors_open && unloading.stage.contains("unloading"), "{unloading:?}");
}

#[test]
fn satellites_are_seen_ashore_and_by_stowage_at_sea() {
    let share = |stowage: Stowage, afloat: bool| {
        let voyage = voyage("woerden-tokyo-gouda-cape", 4).with_stowage(stowage);
        let all: Vec<bool> = course(&voyage)
            .filter(|(_, now)| {
                now.stage.starts_with("at sea") == afloat && !now.stage.contains("port waters")
            })
            .map(|(_, now)| now.gnss_visible)
            .collect();
        all.iter().filter(|visible| **visible).count() as f64 / all.len() as f64
    };
    for stowage in [Stowage::TopOfDeck, Stowage::AmidStack, Stowage::BelowDeck] {
        assert_eq!(share(stowage, false), 1.0, "{stowage:?} ashore");
    }
    assert_eq!(share(Stowage::TopOfDeck, true), 1.0);
    assert_eq!(share(Stowage::BelowDeck, true), 0.0);
    let amid = share(Stowage::AmidStack, true);
    assert!((0.05..0.3).contains(&amid), "{amid}");
}

#[test]
fn the_same_seed_is_the_same_voyage_and_another_is_another() {
    let (one, same, other) = (
        voyage("varginha-amsterdam-coffee", 7),
        voyage("varginha-amsterdam-coffee", 7),
        voyage("varginha-amsterdam-coffee", 8),
    );
    let mut differing = 0;
    for (hours, now) in course(&one) {
        assert_eq!(now, same.at(hours));
        differing += usize::from(now.temperature_c != other.at(hours).temperature_c);
    }
    assert!(differing > 1000);
    assert_ne!(one.length_h(), other.length_h());
}

#[test]
fn hours_may_be_asked_for_in_any_order() {
    let voyage = voyage("tzaneen-venlo-oranges", 2);
    let late = voyage.at(300.0);
    voyage.at(20.0);
    assert_eq!(voyage.at(300.0), late);
    assert_eq!(voyage.at(-5.0), voyage.at(0.0));
    assert_eq!(voyage.at(f64::NAN), voyage.at(0.0));
    let after = voyage.at(1e9);
    assert!(after.finished && !after.doors_open && after.speed_kn == 0.0, "{after:?}");
}

#[test]
fn the_doors_open_at_both_ends_and_let_the_light_of_the_hour_in() {
    let (mut inspected, mut brightest, mut darkest) = (0, 0.0_f64, f64::MAX);
    for name in Voyage::names() {
        for seed in 0..5 {
            let voyage = voyage(name, seed);
            let openings = voyage.openings();
            assert!(openings.windows(2).all(|pair| pair[0].1 < pair[1].0), "{openings:?}");
            inspected += usize::from(openings.len() > 2);
            for (hours, now) in course(&voyage) {
                let open = openings.iter().any(|(begin, end)| (*begin..*end).contains(&hours));
                assert_eq!(now.doors_open, open, "{name} after {hours} h");
                if open {
                    brightest = brightest.max(now.light_lx);
                    darkest = darkest.min(now.light_lx);
                } else {
                    assert_eq!(now.light_lx, 0.0, "{name} after {hours} h");
                }
            }
        }
    }
    assert!((8..40).contains(&inspected), "{inspected} of 60 are inspected");
    assert!((5_000.0..25_000.0).contains(&brightest), "{brightest} lx by day");
    assert!((1.0..50.0).contains(&darkest), "{darkest} lx by night");
}

#[test]
fn a_reefer_without_power_at_sea_gets_too_warm_and_is_cold_again_at_its_end() {
    // °C that cheese must not have.
    for (name, limit_c) in [("woerden-tokyo-gouda-cape", 7.0), ("teawamutu-shanghai-cheddar", 5.0)] {
        for seed in 1..5 {
            let usual = voyage(name, seed);
            let failed = voyage(name, seed).with_power_failure_at_sea();
            let warmer: Vec<(f64, Conditions)> = course(&failed)
                .filter(|(hours, now)| now.temperature_c > usual.at(*hours).temperature_c + 1.0)
                .filter(|(_, now)| now.temperature_c > limit_c && now.stage.contains("at sea"))
                .collect();
            println!(
                "{name} {seed}: {:?} {:?} {}",
                warmer.first().map(|w| w.0),
                warmer.last().map(|w| (w.0, w.1.temperature_c)),
                warmer.len()
            );
            assert!(warmer.len() > 8, "{name} {seed}: for two hours at the least");
            let last = failed.at(failed.length_h() - 60.0).temperature_c;
            assert!(
                (last - usual.at(usual.length_h() - 60.0).temperature_c).abs() < 1.0,
                "{name} {seed}: {last}"
            );
        }
    }
    let dry = voyage("cognac-allentown-spirits", 1);
    assert_eq!(dry.clone().with_power_failure_at_sea().at(300.0), dry.at(300.0));
    let stops: Vec<_> = dry.stops().map(|(name, _)| name).collect();
    assert_eq!(stops, ["Cognac", "Le Havre", "New York", "Allentown"]);
}
