//! Small houses with a known fault, or with none, so that the gate itself is known to hold.

use std::fs;

use crate::{plan, sizes};

/// What is told of a crate of these files.
fn faults(files: &[(&str, &str)]) -> String {
    plan::faults(planted(files).path())
}

fn planted(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
    for (name, text) in files {
        let path = folder.path().join(name);
        let written =
            fs::create_dir_all(path.parent().unwrap_or(&path)).and_then(|()| fs::write(&path, text));
        written.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    folder
}

#[test]
fn a_house_in_order_stands() {
    let faults = faults(&[
        ("lib.rs", "pub mod ground; #[cfg(feature = \"lab\")] mod upper; mod roof; pub use roof::Roof;"),
        ("ground.rs", "use std::fmt; use serde_json; use other::upper::X; pub struct Stone; mod cellar;"),
        (
            "ground/cellar.rs",
            "use serde_json::Value; pub(in crate::ground) fn dig() { self::help() } fn help() {}",
        ),
        ("upper/mod.rs", "mod room; mod bed; pub(crate) use bed::Bed; pub fn serve() { room::enter() }"),
        ("upper/room.rs", "use super::Bed; use crate::ground::{self, Stone as Rock}; pub fn enter() {}"),
        ("upper/bed.rs", "pub struct Bed(crate::ground::Stone);"),
        ("roof.rs", "use crate::{ground::*, upper}; pub struct Roof; fn f() { upper::serve() }"),
    ]);
    assert_eq!(faults, "");
}

#[test]
fn an_import_upwards_is_told_with_its_mend() {
    let lib = ("lib.rs", "mod low; mod high;");
    let high = ("high.rs", "pub struct Thing; pub mod shelf { pub fn f() {} }");
    for low in [
        "use crate::high::Thing;",
        "use {std::fmt, super::{high::{Thing as Other}}};",
        "fn f(thing: &crate::high::Thing) {}",
        "fn f() { use super::high::{self as above}; above::Thing::new() }",
        "macro_rules! m { ($x:ident) => { use $x; mod $x {} $crate::high::Thing } }",
        "#[arg(default_value = crate::high::Thing)] struct Args;",
        "mod inline { mod deeper { use super::super::super::high::Thing; } }",
    ] {
        let faults = faults(&[lib, high, ("low.rs", low)]);
        let told = faults.replace("Thing, high (", "Thing (");
        assert!(
            told.starts_with("upwards: low.rs -> high.rs: Thing (lib.rs lists `low` below `high`)\n"),
            "{low}: {faults}"
        );
        assert!(
            told.contains("\nTo mend an import that runs upwards: move what is imported down,"),
            "{faults}"
        );
    }
    let faults = faults(&[lib, high, ("low.rs", "use crate::high::shelf::*;")]);
    assert!(faults.contains("upwards: low.rs -> high.rs: crate::high::shelf::*"), "{faults}");
}

#[test]
fn what_is_handed_on_is_followed_to_where_it_stands() {
    let faults = faults(&[
        ("lib.rs", "mod low; mod high; pub use high::Thing;"),
        ("low.rs", "use crate::Thing; use crate::high::Glass;"),
        ("high/mod.rs", "mod thing; pub mod pane; pub use self::pane::*; pub use thing::Original as Thing;"),
        ("high/thing.rs", "pub struct Original;"),
        ("high/pane.rs", "pub struct Glass;"),
    ]);
    assert!(faults.contains("upwards: low.rs -> high/thing.rs: Thing "), "{faults}");
    assert!(faults.contains("upwards: low.rs -> high/pane.rs: Glass "), "{faults}");
    assert!(!faults.contains("high/mod.rs") && !faults.contains("lib.rs ->"), "{faults}");
}

#[test]
fn two_files_in_a_circle_are_told() {
    let lib = ("lib.rs", "mod room;");
    let faults = faults(&[
        lib,
        ("room/mod.rs", "mod a; mod b; pub use a::A;"),
        ("room/a.rs", "pub struct A(super::b::B);"),
        ("room/b.rs", "use super::A; pub struct B;"),
    ]);
    let told =
        "circle of 2 files:\n  room/a.rs -> room/b.rs: B\n  room/b.rs -> room/a.rs: A\nTo mend an import";
    assert!(faults.starts_with(told), "{faults}");
}

#[test]
fn a_parent_and_its_child_in_a_circle_are_told() {
    for parent in ["mod child; use child::Y; pub struct X;", "mod child; pub struct X; fn f() { child::Y }"] {
        let faults = faults(&[
            ("lib.rs", "mod room;"),
            ("room/mod.rs", parent),
            ("room/child.rs", "use super::X; pub struct Y;"),
        ]);
        let told =
            "circle of 2 files:\n  room/child.rs -> room/mod.rs: X\n  room/mod.rs -> room/child.rs: Y\n";
        assert!(faults.starts_with(told), "{faults}");
    }
}

#[test]
fn rooms_in_a_circle_of_which_no_file_is_are_told() {
    let faults = faults(&[
        ("lib.rs", "mod one; mod two;"),
        ("one/mod.rs", "mod a; mod b;"),
        ("one/a.rs", "use crate::two::Two;"),
        ("one/b.rs", "pub struct B;"),
        ("two.rs", "use crate::one::b::B; pub struct Two;"),
    ]);
    assert!(faults.contains("circle of 2 rooms:\n  one -> two: Two\n  two -> one: B\n"), "{faults}");
    assert!(!faults.contains("files:"), "{faults}");
}

#[test]
fn tests_comments_and_strings_are_no_imports() {
    let faults = faults(&[
        ("lib.rs", "mod low; mod high; #[cfg(test)] mod trials;"),
        ("high.rs", "use crate::low::Low; pub struct High;"),
        ("trials.rs", "use crate::high::High;"),
        (
            "low.rs",
            r###"
            // use crate::high::High;
            /* use crate::high::High; /* and */ crate::high::High */
            /// [`crate::high::High`]
            pub struct Low<'a>(&'a str);
            const TEXT: [&str; 3] = ["\" crate::high::High", r##""# crate::high::High"##, "use crate::high::*;"];
            fn quote() -> (char, char, u8) { ('"', '\'', b'"') }
            #[cfg(test)] use crate::high::High;
            #[cfg(all(test, unix))] #[allow(dead_code)] mod more { use crate::high::High; fn f() {} }
            #[cfg(test)] #[path = "nowhere.rs"] mod tests;
            impl Low<'_> {
                #[cfg(test)] fn look<A, B>(&self) -> [u8; 2] { crate::high::High::look(self) }
            }
            struct Kept { #[cfg(test)] high: crate::high::High, plain: u8 }
            #[test] fn works() { crate::high::High }
            "###,
        ),
    ]);
    assert_eq!(faults, "");
    let unlike =
        [("lib.rs", "mod low; mod high;"), ("high.rs", ""), ("low.rs", "#[cfg(not(test))] use crate::high;")];
    assert!(self::faults(&unlike).contains("upwards: low.rs -> high.rs"));
}

#[test]
fn of_two_files_for_one_module_both_are_read() {
    let faults = faults(&[
        ("lib.rs", "mod low; mod high;"),
        ("low/mod.rs", "#[cfg(unix)] mod a; #[cfg(not(unix))] #[path = \"b.rs\"] mod a;"),
        ("low/a.rs", ""),
        ("low/b.rs", "use crate::high::High;"),
        ("high.rs", "pub struct High;"),
    ]);
    assert!(faults.contains("upwards: low/b.rs -> high.rs: High"), "{faults}");
}

#[test]
fn sizes_and_heads_are_told() {
    let file = |lines: usize| format!("//! Head.\n{}", "\n".repeat(lines - 1));
    let (long, middle) = (file(601), file(150));
    let bad =
        planted(&[("src/long.rs", &long), ("src/short.rs", "fn f() {}\n"), ("tests/t.rs", "fn t() {}\n")]);
    let told = sizes::faults(bad.path(), &["src"], &["tests"]);
    assert!(told.contains("src/long.rs has 601 lines"), "{told}");
    assert!(
        told.contains("src/short.rs does not begin") && told.contains("tests/t.rs does not begin"),
        "{told}"
    );
    assert!(told.contains("median file has 601") && told.contains("one file in ten has 601"), "{told}");
    let good = planted(&[("src/a.rs", &middle), ("src/deep/b.rs", &middle), ("tests/t.rs", "//! T.\n")]);
    assert_eq!(sizes::faults(good.path(), &["src"], &["tests"]), "");
}
