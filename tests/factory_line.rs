//! The commands of `docs/factory-line.md` and `docs/pki.md`, run as they are written.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::path::Path;
use std::process::Command;

use container_tracker::identity::Identity;

/// The shell blocks of a document below a heading.
fn blocks(document: &str, heading: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document);
    let text = fs::read_to_string(path).unwrap();
    let text = format!("\n{text}");
    let (_, section) = text.split_once(&format!("\n{heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_loop_makes_identities_that_the_agent_takes() {
    let directory = tempfile::tempdir().unwrap();
    let authority: String = blocks("azure.md", "## 2. Certificates").into_iter().take(3).collect();
    let line: String = blocks("factory-line.md", "## With OpenSSL alone").concat();
    let script = format!(
        "set -e\n{authority}\nprintf 'box-1\\r\\nBad Name\\nBOX/21\\n\\nbox-2' > serials.txt\n{line}{line}"
    );
    let output = Command::new("sh").arg("-c").arg(script).current_dir(directory.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let refused: Vec<_> =
        told.lines().filter_map(|line| line.strip_prefix("not a registration ID: ")).collect();
    assert_eq!(refused, ["Bad Name", "BOX/21", "Bad Name", "BOX/21"], "each time: {told}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        told.matches(": OK").count(),
        2,
        "made once and verified, and left alone the second time: {told}"
    );

    let thumbprints = fs::read_to_string(directory.path().join("pki/thumbprints.csv")).unwrap();
    for id in ["box-1", "box-2"] {
        let file = |suffix: &str| directory.path().join(format!("pki/devices/{id}{suffix}"));
        let identity = Identity::load(&file("-chain.pem"), &file(".key").into(), directory.path()).unwrap();
        assert_eq!(identity.registration_id.as_str(), id);
        let line = format!("{id},{}", identity.thumbprint.to_uppercase());
        assert!(thumbprints.lines().any(|found| found == line), "{line} is not in\n{thumbprints}");
    }
}

/// Runs blocks in an empty directory, with this program in the path. What they print.
#[cfg(feature = "lab")]
fn run(directory: &Path, script: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_container-tracker")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    let output =
        shell.arg("-c").arg(format!("set -e\n{script}")).current_dir(directory).env("PATH", path).output();
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{told}");
    told
}

#[cfg(feature = "lab")]
#[test]
fn the_page_on_certificates_works_in_an_empty_directory() {
    let directory = tempfile::tempdir().unwrap();
    let headings = [
        "# Certificates without OpenSSL",
        "## The directory",
        "## Requests",
        "## Proof of possession",
        "## PFX",
    ];
    let script: String = headings.into_iter().flat_map(|heading| blocks("pki.md", heading)).collect();
    let told = run(directory.path(), &script);
    assert!(told.contains("issued by the next one") && told.contains("2 made, 0 were there"), "{told}");
    for name in ["sensor-thl-001.key", "box-2-chain.pem", "box-3-chain.pem", "box-4.pfx"] {
        assert!(directory.path().join("pki/devices").join(name).exists(), "{name}: {told}");
    }
    assert!(directory.path().join("pki/proof.pem").exists());
}

#[cfg(feature = "lab")]
#[test]
fn the_line_works_in_an_empty_directory() {
    let directory = tempfile::tempdir().unwrap();
    let bulk = blocks("factory-line.md", "## Leafs in bulk").concat();
    let told = run(directory.path(), &format!("printf 'box-1\\r\\nbox-2' > serials.txt\n{bulk}"));
    assert!(told.contains("2 made, 0 were there"), "{told}");

    let directory = tempfile::tempdir().unwrap();
    // A failure must not leave the emulator behind.
    let script = blocks("factory-line.md", "## Try it without a box").concat();
    let script =
        script.replace("EMULATOR=$!\n", "EMULATOR=$!\ntrap 'kill $EMULATOR 2>/dev/null || true' EXIT\n");
    let told = run(directory.path(), &script);
    assert!(told.contains("good  box-1 at hub-1.azure-devices.net  [1/1"), "{told}");
    assert!(told.contains("\nbox-1,good,,hub-1.azure-devices.net,box-1,"), "{told}");
}
