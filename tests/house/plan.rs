//! The plan of the house: whose floor is above whose, and who holds on to each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use crate::items::Items;
use crate::modules::{Arrows, Modules};
use crate::tokens::tokens;

const MEND: &str = "\
To mend an import that runs upwards: move what is imported down, hand it in from above, or list the room higher in lib.rs.
To mend a circle: move what both need into a file of its own below them, or hand it in from above. What a file takes from the
mod.rs that declares it goes into a file beside it; that mod.rs then declares and hands on.";

/// What is wrong with the crate whose `lib.rs` is in `sources`; empty if it stands.
pub fn faults(sources: &Path) -> String {
    let crate_modules = Modules::read(sources);
    let (arrows, rooms) = (crate_modules.arrows(), crate_modules.rooms());
    let mut told = String::new();
    upwards(&mut told, &arrows, &rooms, &floors(sources));
    circles(&mut told, "files", &arrows);
    circles(&mut told, "rooms", &between_rooms(&arrows, &rooms));
    if told.is_empty() { told } else { told + MEND }
}

/// The top modules in the order of `lib.rs`, which is the order of the floors from the ground up.
fn floors(sources: &Path) -> Vec<String> {
    let lib = std::fs::read_to_string(sources.join("lib.rs")).unwrap_or_default();
    Items::read(&tokens(&lib)).modules.into_iter().map(|module| module.name).collect()
}

fn upwards(told: &mut String, arrows: &Arrows, rooms: &BTreeMap<String, String>, floors: &[String]) {
    for ((from, to), names) in arrows {
        let (Some(lower), Some(higher)) = (rooms.get(from), rooms.get(to)) else { continue };
        let floor = |room: &String| floors.iter().position(|name| name == room);
        if floor(lower) < floor(higher) {
            let names = join(names);
            let _ =
                writeln!(told, "upwards: {from} -> {to}: {names} (lib.rs lists `{lower}` below `{higher}`)");
        }
    }
}

/// The arrows with every room as one; `lib.rs` is one of its own.
fn between_rooms(arrows: &Arrows, rooms: &BTreeMap<String, String>) -> Arrows {
    let room = |file: &String| rooms.get(file).unwrap_or(file).clone();
    let mut between = Arrows::new();
    for ((from, to), names) in arrows {
        if room(from) != room(to) {
            between.entry((room(from), room(to))).or_default().extend(names.iter().cloned());
        }
    }
    between
}

fn circles(told: &mut String, of: &str, arrows: &Arrows) {
    let mut from_each: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        from_each.entry(from).or_default().insert(to);
    }
    let reached: BTreeMap<_, _> = from_each.keys().map(|from| (*from, reach(from, &from_each))).collect();
    let mut seen = BTreeSet::new();
    for (from, to) in arrows.keys() {
        let both_ways = |a: &String, b: &String| {
            reached.get(a).is_some_and(|r| r.contains(b)) && reached.get(b).is_some_and(|r| r.contains(a))
        };
        if seen.contains(from) || !both_ways(from, to) {
            continue;
        }
        let circle: BTreeSet<&String> =
            reached.keys().copied().filter(|other| both_ways(from, other)).collect();
        let _ = writeln!(told, "circle of {} {of}:", circle.len());
        for ((from, to), names) in arrows {
            if circle.contains(from) && circle.contains(to) {
                let _ = writeln!(told, "  {from} -> {to}: {}", join(names));
            }
        }
        seen.extend(circle);
    }
}

/// All that can be got to from one file or room.
fn reach<'a>(from: &String, arrows: &BTreeMap<&'a String, BTreeSet<&'a String>>) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = arrows.get(from).into_iter().flatten().copied().collect();
    while let Some(at) = next.pop() {
        if reached.insert(at) {
            next.extend(arrows.get(at).into_iter().flatten().copied());
        }
    }
    reached
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
