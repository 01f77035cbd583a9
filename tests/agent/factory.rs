//! `container-tracker factory`: what comes of boxes, good ones and others. The boxes are shell scripts.

#![cfg(all(feature = "lab", unix))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;

use crate::pki::{Workshop, told};

/// Exit code, and all that is printed.
fn factory(shop: &Workshop, arguments: &str) -> (Option<i32>, String) {
    let output = shop
        .run(env!("CARGO_BIN_EXE_container-tracker"), &format!("factory --serials serials.csv {arguments}"));
    (output.status.code(), told(&output))
}

fn table(shop: &Workshop) -> Vec<String> {
    fs::read_to_string(shop.path("factory.csv")).unwrap().lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn a_box_that_is_not_as_it_should_be_is_told_by_its_row_and_tried_again() {
    let shop = Workshop::new();
    shop.pki("init");
    shop.write("serials.csv", "serial;note\r\nbox-1;a\r\nBad Name;b\r\nbox-1;c\r\n");
    let (code, said) = factory(&shop, "--once");
    assert_eq!(code, Some(1));
    assert!(
        said.contains("row 3: \"Bad Name\"") && said.contains("row 4: \"box-1\" stands in row 2"),
        "{said}"
    );
    assert_eq!((shop.files("pki/devices"), shop.files("labels")), (0, 0), "nothing was done");

    shop.write("serials.csv", "serial;note\r\nbox-1;a\r\nbox-2;b\r\nbox-3;c\r\nbox-4;d\r\n");
    fs::create_dir(shop.path("requests")).unwrap();
    shop.request("requests/box-1", "box-1", "");
    shop.request("requests/box-2", "box-9", "");
    fs::copy(shop.path("requests/box-1.key"), shop.path("requests/box-3.key")).unwrap();
    shop.request("requests/box-3", "box-3", "");
    shop.request("requests/stranger", "stranger", "");
    let (code, said) = factory(&shop, "--once");
    assert_eq!(code, Some(1));
    for told in [
        "good  box-1  [1/4, this shift 1 good, 0 bad]",
        "BAD   box-2: row 3: request: requests/box-2.csr asks for box-9",
        "BAD   box-3: row 4: certificate: its key is that of box-1",
        "requests/stranger.csr: the list has no such serial number",
        "1 of 4 boxes are good, 2 bad, 1 without a request",
    ] {
        assert!(said.contains(told), "{told} is not in\n{said}");
    }
    let label = fs::read_to_string(shop.path("labels/box-1.svg")).unwrap();
    let thumbprint = table(&shop)[0].split(',').nth(5).unwrap().to_owned();
    assert!(label.contains(">box-1</text>") && label.contains(&thumbprint[..32]), "{label}");
    assert!(
        fs::read_to_string(shop.path("labels/box-1.zpl")).unwrap().contains(&format!("box-1 {thumbprint}"))
    );

    for name in ["box-2", "box-3", "box-4"] {
        let _ = fs::remove_file(shop.path(&format!("requests/{name}.key")));
        shop.request(&format!("requests/{name}"), name, "");
    }
    let (code, said) = factory(&shop, "--within 60");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 of 4 boxes are done already") && !said.contains("good  box-1"), "{said}");
    let rows = table(&shop);
    assert_eq!(rows.len(), 4, "a row a box: {rows:?}");
    assert!(rows.iter().all(|row| row.contains(",good,,")), "{rows:?}");
}

#[test]
fn a_shift_that_is_ended_sums_up_and_the_next_one_goes_on_with_the_box_in_hand() {
    let shop = Workshop::new();
    shop.pki("init");
    // Ctrl-C reaches what runs, too.
    shop.write("ended", "[ $1 != box-2 -o -e once ] || { touch once; kill -INT $PPID; sleep 1; exit 1; }");
    shop.write("serials.csv", "box-1\nbox-2\nbox-3\n");
    let shift = || {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_container-tracker"));
        program.args([
            "factory",
            "--serials",
            "serials.csv",
            "--make-keys",
            "--deliver",
            "exec sh ended {id}",
        ]);
        let output = program.current_dir(shop.path(".")).output().unwrap();
        (output.status.code(), told(&output))
    };
    let (code, said) = shift();
    assert_eq!(code, Some(1), "{said}");
    for told in [
        "left  box-2: stopped at deliver; the next run goes on there",
        "1 of 3 boxes are good, 0 bad, 0 without a request, 2 left; this shift: 1 good, 0 tries bad",
    ] {
        assert!(said.contains(told), "{told} is not in\n{said}");
    }
    assert_eq!(table(&shop).len(), 1, "nothing is said of a box that was not tried");
    let (code, said) = shift();
    assert!(code == Some(0) && said.contains("3 of 3 boxes are good"), "{said}");
}

/// Answers as `container-tracker provision --json` does, the first time that DPS is busy.
const BOX: &str = r#"
if [ ! -e busy-$1 ]; then touch busy-$1; echo '{"outcome":"later","text":"busy"}'; exit 4; fi
ID=$1; [ $1 != box-2 ] || ID=box-1
[ $1 != box-3 ] || { echo '{"outcome":"refused","text":"DPS refuses this device"}'; exit 3; }
SUM=$(grep "^$1," pki/issued.csv | cut -d, -f2)
[ $1 != box-4 ] || SUM=00
echo "{\"outcome\":\"assigned\",\"registrationId\":\"$ID\",\"hub\":\"h.example\",\"deviceId\":\"$ID\",\"thumbprint\":\"$SUM\"}"
"#;

#[test]
fn what_a_box_answers_counts_and_a_run_that_was_killed_goes_on() {
    let shop = Workshop::new();
    shop.pki("init");
    shop.write("box", BOX);
    shop.write("killer", "[ $1 != box-2 ] || kill -9 $PPID");
    shop.write("serials.csv", "box-1\nbox-2\nbox-3\nbox-4\n");
    let commands = |deliver: &str| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_container-tracker"));
        program.args([
            "factory",
            "--serials",
            "serials.csv",
            "--make-keys",
            "--later",
            "0",
            "--deliver",
            deliver,
        ]);
        program.args(["--provision", "sh box {id}"]).current_dir(shop.path("."));
        program.output().unwrap()
    };
    let killed = commands("exec sh killer {id}");
    assert_eq!(killed.status.code(), None, "{}", told(&killed));
    let key = fs::read(shop.path("pki/devices/box-2.key")).unwrap();
    assert_eq!(table(&shop).len(), 1);
    let output = commands("test -s {chain} -a -s {key}");
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for told in [
        "1 of 4 boxes are done already",
        "BAD   box-2: row 2: provision: another box has answered: it is box-1",
        "BAD   box-3: row 3: provision: put it aside: DPS refuses this device",
        "BAD   box-4: row 4: provision: it has shown another certificate",
    ] {
        assert!(said.contains(told), "{told} is not in\n{said}");
    }
    assert_eq!(fs::read(shop.path("pki/devices/box-2.key")).unwrap(), key, "its key stays");
    assert!(table(&shop)[0].starts_with("box-1,good,,h.example,box-1,"), "{:?}", table(&shop));
    let register = fs::read_to_string(shop.path("pki/issued.csv")).unwrap();
    assert_eq!(register.lines().count(), 5, "one certificate a box: {register}");
}
